"""One pair given by paths, in any readable format, as the case in memory that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import LungregError, MissingFileError, UnreadableFileError
from lungreg.pairs import Pair, require_same_grid
from lungreg.records import Case
from lungreg.transform_files import decode_landmarks
from lungreg.volumes import Volume, check_scan, hu_offset, read_volume


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


def read_pair_files(files: PairFiles, case_id: str) -> Pair:
    """Read one pair and find out whether its scans are stored with an offset.

    Raises:
        MissingFileError: A file is not there.
        DataError: A file is unreadable, no chest CT, or a mask is not on its scan's grid.
    """
    fixed, moving = _scan(files.fixed), _scan(files.moving)
    fixed_mask = _mask(files.fixed_mask, fixed)
    moving_mask = _mask(files.moving_mask, moving)
    case = Case(
        case_id=case_id,
        fixed="",
        moving="",
        fixed_hu_offset=hu_offset(fixed.data, fixed_mask).offset,
        moving_hu_offset=hu_offset(moving.data, moving_mask).offset,
    )
    points = files.landmarks
    return Pair(
        case=case,
        fixed=fixed,
        moving=moving,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        landmarks_vox=None if points is None else _landmarks(points),
    )


def read_file(path: Path) -> bytes:
    """The bytes of a small file.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It may not be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        msg = "the file must be there"
        raise MissingFileError(msg, got="nothing", mend="check its name", where=path) from error
    except OSError as error:
        msg = "a file must be readable"
        raise UnreadableFileError(msg, got=error.strerror, where=path) from error


def _scan(path: Path) -> Volume:
    volume = read_volume(path)
    with _named(path):
        check_scan(volume)
    return volume


def _mask(path: Path | None, scan: Volume) -> NDArray[Any] | None:
    if path is None:
        return None
    mask = read_volume(path, mask=True)
    with _named(path):
        require_same_grid(scan, mask)
    labels: NDArray[Any] = mask.data
    return labels


def _landmarks(path: Path) -> NDArray[np.float64]:
    with _named(path):
        return decode_landmarks(read_file(path))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of errors inside which file they are about."""
    try:
        yield
    except LungregError as error:
        error.where = error.where or path
        raise
