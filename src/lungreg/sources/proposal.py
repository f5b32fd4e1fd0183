"""Look at a folder of scans, and propose how `ingest` can read it: a layout, or a pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lungreg.config import Ingest
from lungreg.config.input import LayoutName, Pattern
from lungreg.errors import DataError, LungregError
from lungreg.records.counting import counted
from lungreg.sources.layouts import list_cases
from lungreg.sources.layouts.folders import nothing_found, visible
from lungreg.sources.name_words import (
    BREATHS,
    EXPIRATION,
    INSPIRATION,
    MASK,
    PLAIN_WORDS,
    POINTS,
    ROLE_WORDS,
    is_visit,
)
from lungreg.sources.source_case import SourceCase, summarise

_SCANS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")
_TABLES = (".csv", ".txt")
_KNOWN: tuple[LayoutName, ...] = ("zenodo", "learn2reg")
_MAX_DEPTH = 8
_MAGIC_AT, _MAGIC = 128, b"DICM"
_ID, _PATIENT = "{case_id}", "{patient}"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One way to read a folder."""

    layout: LayoutName
    pattern: Pattern | None
    """Of layout "pattern"."""
    cases: tuple[SourceCase, ...]
    """Whole pairs that it finds."""
    left: int
    """Scans of the folder that belong to none of them."""

    @property
    def summary(self) -> str:
        """What it finds and what it leaves, for people."""
        how = f"layout {self.layout}"
        if self.pattern is not None:
            how = f"{self.pattern.fixed} and {self.pattern.moving}"
            if "*" in how.partition(_ID)[0]:
                how += " (write {patient} for '*' if those folders are patients)"
            elif _PATIENT in self.pattern.fixed:
                how += " (write '*' for {patient} if those folders are no patients)"
        more = f"; {counted(self.left, 'scan')} in no pair" if self.left else ""
        return f"{how}: {summarise(self.cases)}{more}"


def propose(folder: Path) -> list[Proposal]:
    """The ways to read a folder that find the most pairs; several where names leave it open.

    The names of files and folders say which scan is which: words such as "exp" and "insp" or
    "exhale" and "inhale", "mask", "landmarks"; what varies between them is the case's id.

    Args:
        folder: With scans at any depth up to eight folders.

    Raises:
        DataError: No such folder, or no two scans whose names differ in such a word alone.
    """
    if not folder.is_dir():
        msg = "scans to look at are in a folder that is there"
        got = "a file" if folder.exists() else "nothing"
        raise DataError(msg, got=got, mend="check its name", where=folder)
    for known in _KNOWN:
        pairs, halves = _found(folder, Ingest(layout=known))
        if pairs:
            return [Proposal(layout=known, pattern=None, cases=pairs, left=len(halves))]
    names = _named(folder)
    proposals = [
        Proposal(layout="pattern", pattern=pattern, cases=found, left=_left(names, found))
        for pattern in _patterns(names)
        if (found := _found(folder, Ingest(layout="pattern", pattern=pattern))[0])
    ]
    if not proposals:
        rule = "files of a pair have names that differ by a word such as 'exp' and 'insp'"
        mend = "name the folder of the scans, or write ingest.pattern by hand"
        raise nothing_found(folder, rule, mend)
    most = max(len(proposal.cases) for proposal in proposals)
    best = [proposal for proposal in proposals if len(proposal.cases) == most]
    return [proposal for proposal in best if _is_alike(proposal.pattern)] or best


def _is_alike(pattern: Pattern | None) -> bool:
    """Whether the scans of a pair differ in words for the breath alone, not in visit or kernel."""
    if pattern is None:
        return True
    fixed, moving = (
        [word for word in _words(path) if word not in BREATHS]
        for path in (pattern.fixed, pattern.moving)
    )
    return fixed == moving


def _found(folder: Path, settings: Ingest) -> tuple[tuple[SourceCase, ...], tuple[SourceCase, ...]]:
    """The whole pairs of a folder, and the cases with a problem, such as half a pair."""
    try:
        cases = list_cases(folder, settings)
    except LungregError:
        return (), ()
    whole = tuple(case for case in cases if not case.problems)
    return whole, tuple(case for case in cases if case.problems)


def _left(names: Iterable[_Name], cases: Sequence[SourceCase]) -> int:
    """How many scans are in none of the cases."""
    return sum(name.kind == "scan" for name in names) - 2 * len(cases)


@dataclass(frozen=True)
class _Name:
    """A file or DICOM folder by what its path says."""

    path: str
    breath: str | None
    """ "fixed" or "moving"."""
    kind: str
    """ "scan", "mask" or "points"."""


def _named(folder: Path) -> list[_Name]:
    return [
        _Name(path=path, breath=_breath(path), kind=_kind(path)) for path in _candidates(folder, "")
    ]


def _candidates(folder: Path, prefix: str, depth: int = 1) -> Iterator[str]:
    """Paths of scans, tables and folders of DICOM files, relative to the source."""
    for entry in visible(folder):
        path = f"{prefix}{entry.name}"
        if entry.is_dir() and _is_series(entry):
            yield path
        elif entry.is_dir() and depth < _MAX_DEPTH:
            yield from _candidates(entry, f"{path}/", depth + 1)
        elif entry.name.lower().endswith((*_SCANS, *_TABLES)):
            yield path


def _is_series(folder: Path) -> bool:
    first = next((entry for entry in visible(folder) if entry.is_file()), None)
    if first is None:
        return False
    with first.open("rb") as stream:
        return stream.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def _words(path: str) -> list[str]:
    """Words of a path in small letters: "ExhaleMask" is two, a known one such as "eBHCT" is one."""
    found: list[str] = []
    for piece in re.findall(r"[A-Za-z]+\d*|\d+", path):
        known = piece.lower() in ROLE_WORDS
        apart = piece if known else re.sub(r"([a-z])([A-Z])", r"\1 \2", piece)
        found += apart.lower().split()
    return found


def _breath(path: str) -> str | None:
    words = set(_words(path))
    found = [
        breath
        for breath, known in (("fixed", EXPIRATION), ("moving", INSPIRATION))
        if words & set(known.split())
    ]
    return found[0] if len(found) == 1 else None


def _kind(path: str) -> str:
    if path.lower().endswith(_TABLES):
        return "points"
    return "mask" if set(_words(path)) & set(MASK.split()) else "scan"


def _patterns(names: Sequence[_Name]) -> Iterator[Pattern]:
    """A pattern for each choice of templates of both scans under one reading of the ids."""
    fixed = _templates(n.path for n in names if n.kind == "scan" and n.breath == "fixed")
    moving = _templates(n.path for n in names if n.kind == "scan" and n.breath == "moving")
    others = {
        "fixed_mask": _ids(n.path for n in names if n.kind == "mask" and n.breath == "fixed"),
        "moving_mask": _ids(n.path for n in names if n.kind == "mask" and n.breath == "moving"),
        "landmarks": _ids(n.path for n in names if _is_points(n)),
    }
    for first, ids in fixed.items():
        shared = {second: ids & moving[second] for second in _like(first, moving)}
        most = max(map(len, shared.values()), default=0)
        for second, both in shared.items():
            if len(both) == most > 0:
                more = {role: _best(_like(first, found), both) for role, found in others.items()}
                yield Pattern(fixed=first, moving=second, **more)


def _is_points(name: _Name) -> bool:
    known = set(_words(name.path)) & set(POINTS.split())
    return name.kind == "points" and name.breath is None and bool(known)


def _best(templates: dict[str, set[str]], ids: set[str]) -> str | None:
    """The template that fits most of the cases, if possible without "*"; None if none fits any."""
    shared = {template: len(found & ids) for template, found in templates.items()}
    best = max(shared, key=lambda template: (shared[template], "*" not in template), default=None)
    return best if best is not None and shared[best] else None


def _like(template: str, others: dict[str, set[str]]) -> dict[str, set[str]]:
    """Those that name the patient as this one does, or as this one do not."""
    return {
        other: ids for other, ids in others.items() if (_PATIENT in other) == (_PATIENT in template)
    }


def _ids(paths: Iterable[str]) -> dict[str, set[str]]:
    """Ids by template, under all readings of the paths."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for case_id, template in _readings(path):
            found[template].add(case_id)
    return found


def _templates(paths: Iterable[str]) -> dict[str, set[str]]:
    """Ids by template, of the templates with the most ids; of those, the simplest.

    With "*" only where no other has as many, with a patient beside the case only where it takes
    both to tell the pairs apart, or where ids are those of visits.
    """
    found = _ids(paths)
    most = max(map(len, found.values()), default=0)
    best = {template: ids for template, ids in found.items() if len(ids) == most}
    of_visits = any(all(map(is_visit, ids)) for ids in best.values())
    for unwanted in ("*", _PATIENT) if of_visits else (_PATIENT, "*"):
        simpler = {template: ids for template, ids in best.items() if unwanted not in template}
        best = simpler or best
    return best


def _readings(path: str) -> Iterator[tuple[str, str]]:
    """Ids that a path may hold, each with the template that the path then follows.

    An id is a part of a name between the words for breath and kind; it stands wherever it appears
    as a whole. Other folders may vary too: then "*" is in their place, or one that holds the
    folders of the case is the patient's.
    """
    parts = PurePosixPath(path).parts
    for case_id in {found for part in parts for found in _ids_in(part)}:
        filled = [_whole(case_id).sub(_ID, part) for part in parts]
        yield case_id, "/".join(filled)
        starred = ["*" if _may_vary(part) else part for part in filled[:-1]]
        if "*" in starred:
            yield case_id, "/".join([*starred, filled[-1]])
        first = next((k for k, part in enumerate(filled) if _ID in part), 0)
        for patient in {found for part in filled[:first] for found in _ids_in(part)}:
            named = [_whole(patient).sub(_PATIENT, part) for part in filled]
            yield f"{patient}_{case_id}", "/".join(named)


def _whole(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9{{]){re.escape(name)}(?![A-Za-z0-9}}])")


def _may_vary(part: str) -> bool:
    return _ID not in part and not set(_words(part)) & ROLE_WORDS


def _ids_in(part: str) -> Iterator[str]:
    """The stretches of a name, without its ending, between words that say what it is."""
    stem = part
    for ending in (*_SCANS, *_TABLES):
        if part.lower().endswith(ending):
            stem = part[: -len(ending)]
            break
    stretch = ""
    for piece in [*re.split(r"([._\- ]+)", stem), ""]:
        words = set(_words(piece))
        if piece and not (words and words <= ROLE_WORDS | PLAIN_WORDS):
            stretch += piece
        elif stretch:
            if found := stretch.strip("._- "):
                yield found
            stretch = ""
