"""The manifest of a stage: what ingest found of each case, and the cases that can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from lungreg.errors import DataError, NotFoundError
from lungreg.records import Case, Verdict, counted, same_form
from lungreg.stores import Stage
from lungreg.stores.names import MANIFEST
from lungreg.stores.part_table import PartTable


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestFile:
    """One file of a case on the stage."""

    role: str
    """A key of `stores.names.CASE_INPUTS`."""
    name: str
    size: int
    """Bytes on the stage."""
    sha256: str
    """Of the bytes on the stage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanFacts:
    """Shape, spacing, orientation and offset of one scan."""

    shape: tuple[int, ...]
    """(X, Y, Z) voxels."""
    spacing_mm: tuple[float, ...]
    orientation: str
    """Nearest axes, such as "RAS"."""
    hu_offset: float
    """Stored value less Hounsfield units: 0, 1000 or 1024."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestRow:
    """One row of the manifest: a case, its verdict, its files."""

    case_id: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Why the verdict is not "pass"; without paths."""
    group: str | None = None
    files: tuple[ManifestFile, ...] = ()
    """Empty for a rejected case."""
    fixed: ScanFacts | None = None
    moving: ScanFacts | None = None
    scans_sha256: tuple[str, ...] = ()
    """SHA-256 of what each scan shows, fixed then moving; () in rows of earlier versions."""
    source_sha256: str = ""
    """SHA-256 over the source files: unchanged files are not uploaded again."""
    checked_at: datetime
    """UTC."""
    sequence: int = 0
    """How often the case's row had been replaced: of two rows the one with more counts, whatever
    the clocks said; of equal ones the one checked later."""

    def case(self) -> Case:
        """The case, with the names of its files on the stage."""
        names = {file.role: file.name for file in self.files}
        digest = hashlib.sha256("".join(f"{f.role}{f.sha256}" for f in self.files).encode())
        return Case(
            case_id=self.case_id,
            group=self.group,
            fixed_hu_offset=0.0 if self.fixed is None else self.fixed.hu_offset,
            moving_hu_offset=0.0 if self.moving is None else self.moving.hu_offset,
            fingerprint=digest.hexdigest(),
            scans=self.scans,
            **names,
        )

    @property
    def scans(self) -> tuple[str, ...]:
        """SHA-256 of what each scan shows or, in a row of earlier versions, of its file."""
        files = (file.sha256 for file in self.files if file.role in ("fixed", "moving"))
        return self.scans_sha256 or tuple(files)


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
        ("scans_sha256", pa.list_(pa.string())),
        ("source_sha256", pa.string()),
        ("checked_at", pa.timestamp("us", tz="UTC")),
        ("sequence", pa.int64()),
    ]
)


def manifest_table(stage: Stage) -> PartTable:
    """The manifest of a stage as a table of parts."""
    return PartTable(
        stage=stage,
        folder=MANIFEST,
        schema=_SCHEMA,
        key=("case_id",),
        order=("sequence", "checked_at"),
    )


def write_manifest(stage: Stage, rows: Sequence[ManifestRow]) -> None:
    """Add or replace rows."""
    manifest_table(stage).append([asdict(row) for row in rows])


def read_manifest(stage: Stage) -> list[ManifestRow]:
    """All rows, rejected cases included, by case id."""
    rows = map(_row, manifest_table(stage).rows())
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
    by_form = {same_form(case_id): case_id for case_id in cases}
    wanted = list(dict.fromkeys(by_form.get(same_form(name), name) for name in case_ids))
    missing = [case_id for case_id in wanted if case_id not in cases]
    if missing:
        msg = "cases asked for are on the stage"
        got = f"{counted(len(missing), 'case')} missing"
        raise NotFoundError(msg, got=got, where=", ".join(missing[:5]))
    return [cases[case_id] for case_id in sorted(wanted)]


def _row(item: dict[str, Any]) -> ManifestRow:
    return ManifestRow(
        case_id=item["case_id"],
        verdict=Verdict(item["verdict"]),
        reasons=tuple(item["reasons"]),
        group=item["group"],
        files=tuple(ManifestFile(**file) for file in item["files"]),
        fixed=_facts(item["fixed"]),
        moving=_facts(item["moving"]),
        scans_sha256=tuple(item["scans_sha256"] or ()),
        source_sha256=item["source_sha256"],
        checked_at=item["checked_at"],
        sequence=item["sequence"] or 0,
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


def require_case_id(case_id: str) -> None:
    """Refuse an id that cannot name files and folders on every stage.

    Raises:
        DataError: It is empty, holds a separator, or starts with a dot.
    """
    if not case_id or "/" in case_id or case_id.startswith("."):
        msg = "a case id is a name without '/' that does not start with a dot"
        raise DataError(msg, where=repr(case_id), mend="rename the files")
