"""The layout that users describe themselves, by patterns with `{case_id}` and `{patient}`."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lungreg.config import Ingest
from lungreg.errors import ConfigError, DataError
from lungreg.sources.layouts.folders import contents, is_ignored, nothing_found, visible
from lungreg.sources.name_words import is_visit
from lungreg.sources.source_case import (
    DISPLACEMENT,
    FIXED,
    FIXED_MASK,
    LANDMARKS,
    MOVING,
    MOVING_MASK,
    SourceCase,
    build_cases,
)

_PLACEHOLDERS = ("patient", "case_id")
_MEND = "check ingest.source and ingest.pattern, or let 'lungreg init FOLDER' propose a pattern"


def list_pattern(folder: Path, settings: Ingest) -> list[SourceCase]:
    """Cases whose files or DICOM folders match `ingest.pattern`, relative to the folder.

    `{case_id}` stands for a name without slash, the same wherever it appears, and so does
    `{patient}`, which then is the first part of the case's id and its group; `*` stands for any
    text without slash; everything else is literal. Where nothing matches and the folder contains
    a single folder, as an archive often does, that one is searched.

    Raises:
        ConfigError: No pattern, or one that leaves the folder.
        DataError: Nothing matches the pattern of a scan; it says how far the pattern leads.
    """
    wanted = _wanted(settings)
    root, cases = _search(folder, wanted)
    for role in (FIXED, MOVING):
        if all(getattr(case, role) is None for case in cases):
            rule = f"ingest.pattern.{role} finds scans: {'/'.join(wanted[role])!r}"
            raise nothing_found(_last_folder(root, wanted[role]), rule, _MEND)
    return cases


def unmatched_patterns(
    folder: Path, settings: Ingest, cases: Sequence[SourceCase], *, show_names: bool
) -> list[str]:
    """A warning for each pattern of masks, landmarks or displacements that matches nothing.

    Args:
        folder: Of the source.
        settings: Of any layout.
        cases: What the layout found there.
        show_names: Say which folder was looked at, and what is in it.
    """
    if settings.layout != "pattern":
        return []
    wanted = _wanted(settings)
    unused = [role for role in wanted if not any(getattr(case, role) for case in cases)]
    if not unused:
        return []
    root, _ = _search(folder, wanted)
    return [
        f"ingest.pattern.{role} matches nothing"
        + (_seen(_last_folder(root, wanted[role])) if show_names else "")
        for role in unused
    ]


def _seen(folder: Path) -> str:
    return f": {folder} holds {contents(folder)}"


def _wanted(settings: Ingest) -> dict[str, tuple[str, ...]]:
    """The parts of the path of each role that has a pattern."""
    pattern = settings.pattern
    if pattern is None:
        msg = "layout 'pattern' needs ingest.pattern with fixed and moving"
        raise ConfigError(msg)
    wanted = {
        FIXED: pattern.fixed,
        MOVING: pattern.moving,
        FIXED_MASK: pattern.fixed_mask,
        MOVING_MASK: pattern.moving_mask,
        LANDMARKS: pattern.landmarks,
        DISPLACEMENT: pattern.displacement,
    }
    return {role: _parts(text) for role, text in wanted.items() if text is not None}


def _search(folder: Path, wanted: dict[str, tuple[str, ...]]) -> tuple[Path, list[SourceCase]]:
    """The folder that the patterns start from, and the cases in it.

    Raises:
        DataError: There is none.
    """
    root: Path | None = folder
    while root is not None:
        if cases := _match(root, wanted):
            return root, cases
        root = _only_folder(root)
    fixed, moving = ("/".join(wanted[role]) for role in (FIXED, MOVING))
    rule = f"layout 'pattern' looks for {fixed!r} and {moving!r}"
    raise nothing_found(_last_folder(folder, wanted[FIXED]), rule, _MEND)


def _last_folder(root: Path, parts: tuple[str, ...]) -> Path:
    """The folder that a pattern without a match leads to, through the first name at each level."""
    place, prefix = root, ""
    for count in range(1, len(parts)):
        expression = _expression("/".join(parts[:count]))
        inside = (path for path in visible(place) if path.is_dir())
        found = next((path for path in inside if expression.fullmatch(prefix + path.name)), None)
        if found is None:
            break
        place, prefix = found, f"{prefix}{found.name}/"
    return place


def _parts(text: str) -> tuple[str, ...]:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        msg = "a pattern is relative to the source and stays inside it"
        raise ConfigError(msg, got=repr(text), mend="correct ingest.pattern")
    return path.parts


def _match(root: Path, parts: dict[str, tuple[str, ...]]) -> list[SourceCase]:
    files: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    above: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    shared = _shared_folders(parts)
    matchers = {role: (len(value), _expression("/".join(value))) for role, value in parts.items()}
    patients: dict[str, str] = {}
    depth = max(count for count, _ in matchers.values())
    for level, name in _walk(root, "", depth):
        for role, (count, expression) in matchers.items():
            if count == level and (match := expression.fullmatch(name)):
                found = match.groupdict()
                case_id = "_".join(found[key] for key in _PLACEHOLDERS if key in found)
                files[case_id][role].append(root / name)
                if role in (FIXED, MOVING):
                    above[case_id].add(PurePosixPath(name).parts[:shared])
                if "patient" in found:
                    patients[case_id] = found["patient"]
    cases = build_cases(files, parts)
    grouped = (replace(case, group=patients.get(case.case_id)) for case in cases)
    return [_in_one_folder(case, above[case.case_id]) for case in grouped]


def _shared_folders(parts: dict[str, tuple[str, ...]]) -> int:
    """How many parts above that of the case's id both scans name alike, with "*" among them."""
    first, second = parts[FIXED], parts[MOVING]
    before = next((k for k, part in enumerate(first) if "{case_id}" in part), 0)
    starred = any("*" in part for part in first[:before])
    return before if starred and first[:before] == second[:before] else 0


def _in_one_folder(case: SourceCase, folders: set[tuple[str, ...]]) -> SourceCase:
    """The case, with a problem where its scans lie in several folders: they may be patients.

    Folders of dates are none: the scans of a patient may be of two days.
    """
    names = {name for folder in folders for name in folder}
    shared = set.intersection(*(set(folder) for folder in folders)) if folders else set()
    if len(folders) <= 1 or all(map(is_visit, names - shared)):
        return case
    msg = "the scans of a case lie in one of the folders that '*' stands for"
    mend = "name these folders in ingest.pattern; where they are patients, write {patient} for '*'"
    problem = DataError(msg, got=len(folders), mend=mend, where=case.case_id)
    return replace(case, problems=(*case.problems, problem))


def _expression(text: str) -> re.Pattern[str]:
    """What a path matches: a placeholder's first place names what its others repeat."""
    named: set[str] = set()

    def piece(found: re.Match[str]) -> str:
        name = found[0].strip("{}")
        if name == "*":
            return "[^/]*"
        if name not in _PLACEHOLDERS:
            return re.escape(found[0])
        again = name in named
        named.add(name)
        return f"(?P={name})" if again else f"(?P<{name}>[^/]+)"

    return re.compile(re.sub(r"\*|\{(?:case_id|patient)\}|[^*{]+|\{", piece, text), re.DOTALL)


def _walk(root: Path, prefix: str, depth: int, level: int = 1) -> Iterator[tuple[int, str]]:
    """Names below a folder with their level; the depth also ends loops of links."""
    with os.scandir(root / prefix) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if is_ignored(entry.name):
            continue
        name = f"{prefix}{entry.name}"
        yield level, name
        if level < depth and entry.is_dir():
            yield from _walk(root, f"{name}/", depth, level + 1)


def _only_folder(folder: Path) -> Path | None:
    """The folder that is all that another one holds, or None."""
    found = visible(folder)
    return found[0] if len(found) == 1 and found[0].is_dir() else None
