"""Read a transform from a file of any known format, with the JSON beside it if there is one."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungreg.errors import DataError, LungregError, UnreadableFileError
from lungreg.formats.local_files import read_file
from lungreg.formats.placement import right_angled
from lungreg.formats.transforms import (
    COMPOSITE_SUFFIXES,
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    Description,
    decode_composite,
    decode_description,
    decode_transform,
)
from lungreg.spatial.geometry import Grid, Transform

_VECTOR_SUFFIXES = (".nii.gz", ".nii")
_INVERSE = re.compile(r"_inverse$|Inverse(?=Warp$)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownTransform:
    """A transform, with the grids of its scans where they are known."""

    transform: Transform
    direction: str
    """`FIXED_TO_MOVING` or `MOVING_TO_FIXED`: how the file carries points."""
    start: Grid | None
    """Grid of the scan whose points it takes; an image resampled through it lies on this grid."""
    end: Grid | None
    """Grid of the scan that it leads to; None where it is not known."""


def read_transform(path: Path) -> KnownTransform:
    """Read a transform: an ITK file (.h5, .tfm, .txt, .mat) or a displacement field (.nii.gz).

    Direction and grids come from the JSON beside it, of the same name without "inverse". With it,
    the affine is separated from a total displacement, so that `u` alone is continued beyond the
    grid. Without it a file is taken as fixed to moving, and its field's grid as the fixed scan's.

    Raises:
        MissingFileError: Not there.
        UnreadableFileError: Not a transform, cut off or damaged.
        DataError: A kind of transform that is not supported.
    """
    try:
        return _read(path)
    except LungregError as error:
        error.where = error.where or path
        error.mend = error.mend or "give transforms first and what they carry last"
        raise


def _read(path: Path) -> KnownTransform:
    known = _description(path)
    directions = {} if known is None else known.directions
    direction = directions.get(path.name, FIXED_TO_MOVING)
    name = path.name.lower()
    if name.endswith(_VECTOR_SUFFIXES):
        affine = np.eye(4) if known is None else known.affine
        affine = np.linalg.inv(affine) if direction == MOVING_TO_FIXED else affine
        transform = decode_transform(read_file(path), affine)
    elif name.endswith(COMPOSITE_SUFFIXES):
        transform = decode_composite(read_file(path), suffix=path.suffix)
    else:
        msg = f"a transform ends in {', '.join((*COMPOSITE_SUFFIXES, *_VECTOR_SUFFIXES))}"
        raise UnreadableFileError(msg, got=path.suffix or "no suffix", mend="convert it")
    if known is None:
        own = _own_grid(transform)
        return KnownTransform(transform=transform, direction=direction, start=own, end=None)
    grids = (known.fixed, known.moving)
    start, end = grids if direction == FIXED_TO_MOVING else grids[::-1]
    return KnownTransform(transform=transform, direction=direction, start=start, end=end)


def _own_grid(transform: Transform) -> Grid | None:
    """The grid of a field on which an image can be written: none of an affine, none with shear."""
    grid = transform.grid
    if grid.size == 1:
        return None
    try:
        return Grid(shape=grid.shape, affine=right_angled(grid.affine, grid.shape).affine)
    except DataError:
        return None


def _description(path: Path) -> Description | None:
    """The JSON beside a transform; None where there is none that lungreg wrote."""
    suffixes = (*_VECTOR_SUFFIXES, *COMPOSITE_SUFFIXES)
    ends = [suffix for suffix in suffixes if path.name.lower().endswith(suffix)]
    stem = path.name[: -len(ends[0])] if ends else path.stem
    beside = path.with_name(_INVERSE.sub("", stem) + ".json")
    if not beside.is_file():
        return None
    try:
        return decode_description(read_file(beside))
    except DataError as error:
        _log.warning("the JSON beside a transform is not read: %s", error.anonymous)
        return None
