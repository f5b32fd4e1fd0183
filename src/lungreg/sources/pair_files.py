"""One pair given by paths, in any readable format, as the case in memory that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import LungregError
from lungreg.formats.local_files import read_file
from lungreg.formats.points.landmarks import decode_landmarks
from lungreg.formats.volumes import Volume, check_scan, read_volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.sources.pair_checks import (
    PairWarning,
    check_landmarks,
    check_mask,
    check_units,
    errors_about,
)


@dataclass(frozen=True, kw_only=True)
class PairFiles:
    """Where the files of one pair lie on this machine."""

    fixed: Path
    """Expiration: NIfTI, MetaImage, NRRD, or a folder with a DICOM series."""
    moving: Path
    """Inspiration, likewise."""
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    landmarks: Path | None = None
    """CSV of six columns, fixed x y z then moving x y z, in voxels of each scan."""

    def __post_init__(self) -> None:
        # A notebook gives names as text.
        for role in fields(self):
            path = getattr(self, role.name)
            object.__setattr__(self, role.name, None if path is None else Path(path))


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadPair:
    """One pair as its files give it."""

    pair: Pair
    notes: tuple[str, ...]
    """What is odd about the files; no paths."""


def read_pair_files(files: PairFiles, case_id: str) -> ReadPair:
    """Read one pair, check it as `ingest` does, and find out how its scans are stored.

    Raises:
        MissingFileError: A file is not there.
        DataError: A file is unreadable, no chest CT or no mask of its scan's lungs, or most
            landmarks lie outside their scan.
    """
    fixed, moving = _scan("fixed scan", files.fixed), _scan("moving scan", files.moving)
    fixed_mask = _mask("--fixed-mask", files.fixed_mask, fixed)
    moving_mask = _mask("--moving-mask", files.moving_mask, moving)
    fixed_offset, doubts = check_units("fixed", fixed, fixed_mask)
    moving_offset, more = check_units("moving", moving, moving_mask)
    points, outside = _landmarks(files.landmarks, fixed, moving)
    case = Case(
        case_id=case_id,
        fixed="",
        moving="",
        fixed_hu_offset=fixed_offset,
        moving_hu_offset=moving_offset,
    )
    pair = Pair(
        case=case,
        fixed=fixed,
        moving=moving,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        landmarks_vox=points,
    )
    notes = [doubt.text for doubt in (*doubts, *more, *outside)]
    return ReadPair(pair=pair, notes=(*notes, *_one_mask(files)))


def _one_mask(files: PairFiles) -> list[str]:
    if (files.fixed_mask is None) == (files.moving_mask is None):
        return []
    given = "moving" if files.fixed_mask is None else "fixed"
    return [f"Dice and HD95 need the masks of both scans: only that of the {given} one is given"]


def _scan(what: str, path: Path) -> Volume:
    with _named(what, path):
        volume = read_volume(path)
        check_scan(volume)
    return volume


def _mask(what: str, path: Path | None, scan: Volume) -> NDArray[Any] | None:
    if path is None:
        return None
    with _named(what, path):
        mask = read_volume(path, mask=True)
        check_mask(mask, scan)
    labels: NDArray[Any] = mask.data
    return labels


def _landmarks(
    path: Path | None, fixed: Volume, moving: Volume
) -> tuple[NDArray[np.float64] | None, tuple[PairWarning, ...]]:
    if path is None:
        return None, ()
    with _named("--landmarks", path):
        points = decode_landmarks(read_file(path))
        return points, check_landmarks(points, fixed.grid, moving.grid)


@contextmanager
def _named(what: str, path: Path) -> Iterator[None]:
    """Say of errors inside which option and file they are about."""
    try:
        with errors_about(what):
            yield
    except LungregError as error:
        error.where = error.where or path
        raise
