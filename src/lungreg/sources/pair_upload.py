"""Check one pair of a source and upload its files to the stage."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from lungreg.errors import DataError, LungregError, UnreadableFileError
from lungreg.formats.nifti import scrub_nifti
from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.volumes import encode_labels, encode_volume
from lungreg.records import Verdict
from lungreg.sources.pair_checks import errors_about
from lungreg.sources.pair_loading import FILE_NAMES, LoadedPair, load_pair
from lungreg.sources.scan_identity import scan_digest
from lungreg.sources.source_case import SourceCase
from lungreg.spatial.geometry import Grid
from lungreg.stores import Stage
from lungreg.stores.manifest import ManifestFile, ManifestRow, ScanFacts
from lungreg.stores.names import CASE_INPUTS, input_folder

_log = logging.getLogger(__name__)
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PairUpload:
    """The result for one pair."""

    row: ManifestRow
    uploaded: int
    """Files written to the stage."""


def stage_sizes(stage: Stage) -> dict[str, int]:
    """Size in bytes of every file of a case on the stage, by name: one listing for each role."""
    folders = {input_folder(role) for role in CASE_INPUTS}
    return {info.name: info.size for folder in folders for info in stage.list(folder)}


def upload_pair(
    stage: Stage,
    source: SourceCase,
    known: ManifestRow | None,
    *,
    there: Mapping[str, int],
    group: str | None,
    max_voxels: int,
) -> PairUpload:
    """Check a pair and upload its files, unless the stage has them already.

    A rejected pair gets a row without files, and its files are removed from the stage.

    Args:
        stage: Where the files go.
        source: The pair.
        known: Its row in the manifest, if it has one.
        there: Sizes of the files on the stage, from `stage_sizes`.
        group: Its group (patient) for the manifest.
        max_voxels: Most voxels of a scan that is read.

    Raises:
        LungregError: The stage fails; what is wrong with the pair stands in its row instead.
    """
    try:
        _require_no_problem(source)
        digest = _source_digest(source)
        if known is not None and _is_unchanged(there, known, digest, group):
            return PairUpload(row=known, uploaded=0)
        loaded = load_pair(source, max_voxels=max_voxels)
        contents = list(_stage_bytes(source, loaded))
    except LungregError as error:
        return _rejected(stage, there, source, error, group)
    except Exception as error:  # noqa: BLE001  # one pair never stops the others
        _log.debug("a pair could not be checked", exc_info=True)
        msg = "a pair can be checked"
        return _rejected(stage, there, source, DataError(msg, got=type(error).__name__), group)
    files = tuple(_put(stage, role, source.case_id, data) for role, data in contents)
    _remove(stage, there, source.case_id, keep={file.role for file in files})
    pair, warnings = loaded.pair, _warnings(source, loaded)
    scans = (
        scan_digest(pair.fixed, pair.case.fixed_hu_offset),
        scan_digest(pair.moving, pair.case.moving_hu_offset),
    )
    if len(set(scans)) == 1:
        warnings += ("same_scan: both scans of the case are one scan",)
    row = ManifestRow(
        case_id=source.case_id,
        verdict=Verdict.WARN if warnings else Verdict.PASS,
        reasons=warnings,
        group=group,
        files=files,
        fixed=_facts(pair.fixed.grid, pair.case.fixed_hu_offset),
        moving=_facts(pair.moving.grid, pair.case.moving_hu_offset),
        scans_sha256=scans,
        source_sha256=digest,
        checked_at=datetime.now(UTC),
    )
    return PairUpload(row=row, uploaded=len(files))


def _warnings(source: SourceCase, loaded: LoadedPair) -> tuple[str, ...]:
    """What the manifest says of a pair that is taken with a warning."""
    of_layout = (f"{warning.code}: {warning.anonymous}" for warning in source.warnings)
    return (*of_layout, *map(str, loaded.warnings))


def _facts(grid: Grid, offset: float) -> ScanFacts:
    return ScanFacts(
        shape=grid.shape,
        spacing_mm=tuple(round(float(mm), 6) for mm in grid.spacing_mm),
        orientation="".join(aff2axcodes(grid.affine)),
        hu_offset=offset,
    )


def _stage_bytes(source: SourceCase, loaded: LoadedPair) -> Iterator[tuple[str, bytes]]:
    """The bytes for the stage by role: gzipped NIfTI without its free text, others converted.

    A file whose header was put right is written anew, so that every tool reads it as we did.
    """
    for role, volume in loaded.volumes.items():
        path: Path = getattr(source, role)
        if path.is_file() and path.name.endswith(".nii.gz") and not volume.remarks:
            yield role, scrub_nifti(path.read_bytes())
        elif role.endswith("_mask"):
            yield role, encode_labels(volume.data, volume.grid)
        else:
            yield role, encode_volume(volume.data, volume.grid, volume.stored)
    if loaded.pair.landmarks_vox is not None:
        yield "landmarks", encode_landmarks(loaded.pair.landmarks_vox)
    # Last, so that a case without it keeps its fingerprint.
    if source.displacement is not None and loaded.displacement_mm is not None:
        grid = loaded.pair.fixed.grid
        yield "displacement", _displacement_bytes(source.displacement, loaded.displacement_mm, grid)


def _displacement_bytes(path: Path, total_mm: NDArray[np.float32], grid: Grid) -> bytes:
    if path.name.endswith(".nii.gz"):
        return scrub_nifti(path.read_bytes())
    from lungreg.formats.transforms import encode_displacement  # loads torch, as in `pair_loading`

    return encode_displacement(total_mm, grid)


def _put(stage: Stage, role: str, case_id: str, data: bytes) -> ManifestFile:
    name = CASE_INPUTS[role].format(case_id)
    stage.write(name, data)
    return ManifestFile(
        role=role, name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()
    )


def _is_unchanged(
    there: Mapping[str, int], known: ManifestRow, digest: str, group: str | None
) -> bool:
    if not known.files or known.source_sha256 != digest or known.group != group:
        return False
    return all(there.get(file.name) == file.size for file in known.files)


def _rejected(
    stage: Stage,
    there: Mapping[str, int],
    source: SourceCase,
    error: LungregError,
    group: str | None,
) -> PairUpload:
    if not isinstance(error, DataError):
        raise error
    with suppress(DataError):  # an id that no stage can hold has left nothing there
        _remove(stage, there, source.case_id, keep=set())
    row = ManifestRow(
        # A name in another encoding than UTF-8 stands in no table: its odd bytes are spelled out.
        case_id=source.case_id.encode(errors="backslashreplace").decode(),
        verdict=Verdict.REJECT,
        reasons=(f"{error.code}: {error.anonymous}",),
        group=group,
        checked_at=datetime.now(UTC),
    )
    return PairUpload(row=row, uploaded=0)


def _remove(stage: Stage, there: Mapping[str, int], case_id: str, *, keep: Collection[str]) -> None:
    """Delete the files that an earlier ingest uploaded for a case, except for some roles."""
    names = {role: name.format(case_id) for role, name in CASE_INPUTS.items()}
    for role, name in names.items():
        if role not in keep and name in there:
            stage.delete(name)


def _require_no_problem(source: SourceCase) -> None:
    if source.problems:
        raise source.problems[0]


def _source_digest(source: SourceCase) -> str:
    """SHA-256 over the contents of all source files of a case, by role."""
    digest = hashlib.sha256()
    for role in ("fixed", "moving", "fixed_mask", "moving_mask"):
        path: Path | None = getattr(source, role)
        digest.update(f"{role}:".encode())
        with errors_about(FILE_NAMES[role]):
            for file in () if path is None else _files(path):
                _update(digest, file)
    for file in source.landmarks:
        digest.update(b"landmarks:")
        with errors_about(FILE_NAMES["landmarks"]):
            _update(digest, file)
    if source.displacement is not None:
        digest.update(b"displacement:")
        with errors_about(FILE_NAMES["displacement"]):
            _update(digest, source.displacement)
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(entry for entry in path.iterdir() if entry.is_file())


def _update(digest: Any, file: Path) -> None:
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        msg = "files of a case can be read"
        raise UnreadableFileError(msg, got=error.strerror, where=file) from error
