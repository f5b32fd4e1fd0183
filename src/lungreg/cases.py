"""From a stage to a checked, split list of cases."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from lungreg.config import SplitSpec
from lungreg.errors import ConfigError, DataError, NotFoundError
from lungreg.records import Case, Split, Verdict
from lungreg.stores import Stage
from lungreg.tables import PartTable

MANIFEST = "manifest"
STAGE_NAMES: Mapping[str, str] = {
    "fixed": "scansExp/{}_exp.nii.gz",
    "moving": "scansInsp/{}_insp.nii.gz",
    "fixed_mask": "lungMasksExp/{}_exp.nii.gz",
    "moving_mask": "lungMasksInsp/{}_insp.nii.gz",
    "landmarks": "landmarks/{}.csv",
}
"""Where the files of a case lie on the stage, by role."""


@dataclass(frozen=True, kw_only=True)
class ManifestFile:
    """One file of a case on the stage."""

    role: str
    """A key of `STAGE_NAMES`."""
    name: str
    size: int
    """Bytes on the stage."""
    sha256: str
    """Of the bytes on the stage."""


@dataclass(frozen=True, kw_only=True)
class ScanFacts:
    """What the manifest says of one scan."""

    shape: tuple[int, ...]
    """(X, Y, Z) voxels."""
    spacing_mm: tuple[float, ...]
    orientation: str
    """Nearest axes, such as "RAS"."""
    hu_offset: float
    """What stored values lie above Hounsfield units."""


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """What ingest found of one case."""

    case_id: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Why not simply "pass"; without paths."""
    group: str | None = None
    files: tuple[ManifestFile, ...] = ()
    """Empty for a rejected case."""
    fixed: ScanFacts | None = None
    moving: ScanFacts | None = None
    source_sha256: str = ""
    """Over the source files: what was seen before is not uploaded again."""
    checked_at: datetime
    """UTC."""

    def case(self) -> Case:
        """The case that the stage holds."""
        names = {file.role: file.name for file in self.files}
        digest = hashlib.sha256("".join(f"{f.role}{f.sha256}" for f in self.files).encode())
        return Case(
            case_id=self.case_id,
            group=self.group,
            fixed_hu_offset=0.0 if self.fixed is None else self.fixed.hu_offset,
            moving_hu_offset=0.0 if self.moving is None else self.moving.hu_offset,
            fingerprint=digest.hexdigest(),
            **names,
        )


_FILE = pa.struct(
    [("role", pa.string()), ("name", pa.string()), ("size", pa.int64()), ("sha256", pa.string())]
)
_FACTS = pa.struct(
    [
        ("shape", pa.list_(pa.int64())),
        ("spacing_mm", pa.list_(pa.float64())),
        ("orientation", pa.string()),
        ("hu_offset", pa.float64()),
    ]
)
_SCHEMA = pa.schema(
    [
        ("case_id", pa.string()),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("group", pa.string()),
        ("files", pa.list_(_FILE)),
        ("fixed", _FACTS),
        ("moving", _FACTS),
        ("source_sha256", pa.string()),
        ("checked_at", pa.timestamp("us", tz="UTC")),
    ]
)


def manifest_table(stage: Stage) -> PartTable:
    """The manifest of a stage as a table of parts."""
    return PartTable(
        stage=stage, folder=MANIFEST, schema=_SCHEMA, key=("case_id",), order="checked_at"
    )


def write_manifest(stage: Stage, rows: Sequence[ManifestRow]) -> None:
    """Add or replace rows."""
    manifest_table(stage).append([asdict(row) for row in rows])


def read_manifest(stage: Stage) -> list[ManifestRow]:
    """All rows, rejected cases included, by case id."""
    rows = [_row(item) for item in manifest_table(stage).read().to_pylist()]
    return sorted(rows, key=lambda row: row.case_id)


def read_cases(stage: Stage, case_ids: Iterable[str] | None = None) -> list[Case]:
    """The usable cases of a stage, or the named ones, by case id.

    Raises:
        NotFoundError: A named case is not on the stage, or the stage holds none.
    """
    cases = {row.case_id: row.case() for row in read_manifest(stage) if row.files}
    if not cases:
        msg = "the stage holds at least one case"
        raise NotFoundError(msg, got="none", mend="run 'lungreg ingest' first")
    if case_ids is None:
        return list(cases.values())
    wanted = list(dict.fromkeys(case_ids))
    missing = [case_id for case_id in wanted if case_id not in cases]
    if missing:
        msg = "cases asked for are on the stage"
        got = f"{len(missing)} that are not"
        raise NotFoundError(msg, got=got, where=", ".join(missing[:5]))
    return [cases[case_id] for case_id in sorted(wanted)]


def split_cases(cases: Sequence[Case], spec: SplitSpec, *, seed: int) -> dict[Split, list[str]]:
    """Case ids under train, val and test; a group (patient) is never split.

    The order of groups is drawn from the seed and each group's name, so that it does not depend
    on the order of the cases.

    Raises:
        ConfigError: Lists that overlap, name unknown cases or split a group; more folds than
            groups; nothing left to train on.
    """
    if isinstance(spec.train, list):
        split = _listed(cases, spec)
    elif spec.folds is not None:
        split = _folded(_shuffled_groups(cases, seed), spec.folds, spec.fold)
    else:
        split = _shared(_shuffled_groups(cases, seed), spec, total=len(cases))
    if not split[Split.TRAIN]:
        msg = "a split leaves at least one case to train on"
        raise ConfigError(msg, got=f"none of {len(cases)}", mend="ingest more cases")
    return split


def _row(item: dict[str, Any]) -> ManifestRow:
    return ManifestRow(
        case_id=item["case_id"],
        verdict=Verdict(item["verdict"]),
        reasons=tuple(item["reasons"]),
        group=item["group"],
        files=tuple(ManifestFile(**file) for file in item["files"]),
        fixed=_facts(item["fixed"]),
        moving=_facts(item["moving"]),
        source_sha256=item["source_sha256"],
        checked_at=item["checked_at"],
    )


def _facts(item: dict[str, Any] | None) -> ScanFacts | None:
    if item is None or item["orientation"] is None:
        return None
    return ScanFacts(
        shape=tuple(item["shape"]),
        spacing_mm=tuple(item["spacing_mm"]),
        orientation=item["orientation"],
        hu_offset=item["hu_offset"],
    )


def _shuffled_groups(cases: Sequence[Case], seed: int) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for case in sorted(cases, key=lambda case: case.case_id):
        name = f"case:{case.case_id}" if case.group is None else f"group:{case.group}"
        groups.setdefault(name, []).append(case.case_id)
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    return [groups[name] for name in order]


def _shared(groups: list[list[str]], spec: SplitSpec, *, total: int) -> dict[Split, list[str]]:
    left = list(groups)
    result: dict[Split, list[str]] = {}
    for split, share in ((Split.TEST, spec.test), (Split.VAL, spec.val)):
        wanted = _count(float(share), total)  # type: ignore[arg-type]  # shares, not lists
        taken: list[str] = []
        while left and len(left) > 1 and len(taken) < wanted:
            taken += left.pop(0)
        result[split] = sorted(taken)
    result[Split.TRAIN] = sorted(case_id for group in left for case_id in group)
    return result


def _count(share: float, total: int) -> int:
    return 0 if share == 0 else max(1, math.floor(share * total + 0.5))


def _folded(groups: list[list[str]], folds: int, fold: int) -> dict[Split, list[str]]:
    if folds > len(groups):
        msg = "there are at least as many cases (patients) as folds"
        raise ConfigError(msg, got=f"{len(groups)} for {folds} folds")
    parts = [[case_id for group in groups[i::folds] for case_id in group] for i in range(folds)]
    rest = [case_id for i, part in enumerate(parts) if i != fold for case_id in part]
    return {Split.TRAIN: sorted(rest), Split.VAL: sorted(parts[fold]), Split.TEST: []}


def _listed(cases: Sequence[Case], spec: SplitSpec) -> dict[Split, list[str]]:
    lists = {Split.TRAIN: spec.train, Split.VAL: spec.val, Split.TEST: spec.test}
    split = {name: sorted(set(ids)) for name, ids in lists.items() if isinstance(ids, list)}
    known = {case.case_id: case for case in cases}
    named = [case_id for ids in split.values() for case_id in ids]
    unknown = [case_id for case_id in named if case_id not in known]
    twice = [case_id for case_id in set(named) if named.count(case_id) > 1]
    if unknown or twice:
        msg = "data.split names each case once and only cases on the stage"
        got = f"{len(unknown)} unknown, {len(twice)} twice"
        raise ConfigError(msg, got=got, where=", ".join(sorted([*unknown, *twice])[:5]))
    home = {known[case_id].group: name for name, ids in split.items() for case_id in ids}
    for name, ids in split.items():
        groups = {known[case_id].group for case_id in ids} - {None}
        if any(home[group] != name for group in groups):
            msg = "cases of one group (patient) are in one part of data.split"
            raise ConfigError(msg, got="a group in two")
    return split


def require_case_id(case_id: str) -> None:
    """Refuse an id that cannot name files and folders on every stage.

    Raises:
        DataError: It is empty, holds a separator, or starts with a dot.
    """
    if not case_id or "/" in case_id or case_id.startswith("."):
        msg = "a case id is a name without '/' that does not start with a dot"
        raise DataError(msg, where=repr(case_id), mend="rename the files")
