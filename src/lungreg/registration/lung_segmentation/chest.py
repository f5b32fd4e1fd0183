"""The coarse copy of a scan, turned to RAS, that its lungs are looked for on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray
from scipy.ndimage import label

from lungreg.registration.lung_segmentation.values import (
    Scale,
    blank_values,
    find_scale,
    from_the_sides,
    is_one_of,
    side_values,
    with_mixed,
)
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import FloatArray, Grid, Shape
from lungreg.spatial.neighbours import opened

RIGHT_LUNG = 1
LEFT_LUNG = 2

BoolArray = NDArray[np.bool_]
LabelArray = NDArray[np.uint8]

IN_AXIAL_SLICE = np.zeros((3, 3, 3), dtype=bool)
IN_AXIAL_SLICE[:, 1, 1] = IN_AXIAL_SLICE[1, :, 1] = True
"""A voxel and its four neighbours in the axial slice."""

_WORKING_SPACING_MM = 2.5
_BODY_MM, _CUT_BODY_MM, _LUNGS_MM = 250.0, 180.0, 220.0
"""Widths that are adult, or more than that."""
_SMALLEST_SIZE = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class Chest:
    """The working copy: axis 0 runs left to right, 1 back to front, 2 feet to head."""

    hu: NDArray[np.float32]
    """(L, P, S) Hounsfield units, or a guess at them."""
    air: BoolArray
    """(L, P, S) what is thin enough for lung, gas or outside."""
    blank: BoolArray
    """(L, P, S) what shows nothing: one value from the sides of the volume inwards."""
    tissue: BoolArray
    """(L, P, S) the body: the largest piece of what is not air, without thin sheets."""
    spacing_mm: FloatArray
    """(3,)"""
    size: float
    """About how large the patient is: 1 for adults, 0.25 for the smallest newborn. All lengths
    that shape the lungs are multiplied by it."""
    scale: Scale
    """How stored values were read."""
    blanks: list[float]
    """The stored values of `blank`."""
    same: float
    """How far from one of `blanks` a stored value may lie to count as the same."""

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(np.prod(self.spacing_mm)) / 1000.0


def copy_chest(
    stored: NDArray[np.float32], grid: Grid, size: float, *, blank: bool = True
) -> Chest:
    """The working copy of a scan, of voxels of about 2.5 mm for an adult.

    Args:
        stored: (X, Y, Z) values of the scan.
        grid: Its grid.
        size: Of the patient; see `Chest.size`.
        blank: Whether some values may show nothing.
    """
    turn, blocks = io_orientation(grid.affine), working_blocks(grid, size)
    coarse, coarse_grid = block_mean(stored, grid, blocks)
    coarse = apply_orientation(coarse, turn)
    upward = int(np.flatnonzero(turn[:, 0] == 2)[0])
    blanks, same = blank_values(side_values(stored, upward))
    blanks = blanks if blank else []
    empty = from_the_sides(is_one_of(coarse, blanks, same))
    scale = find_scale(stored, coarse, empty)
    hu, air = scale.hounsfield(coarse), coarse < np.float32(scale.air_below)
    if scale.exact and empty.any():
        empty = with_mixed(empty, hu)
    return Chest(
        hu=hu,
        air=air,
        blank=empty,
        tissue=_body(~air & ~empty),
        spacing_mm=coarse_grid.spacing_mm[np.argsort(turn[:, 0])],
        size=size,
        scale=scale,
        blanks=blanks,
        same=same,
    )


def working_blocks(grid: Grid, size: float) -> Shape:
    """Voxels of a scan in one voxel of the working copy, along the scan's own axes."""
    return block_sizes(grid, _WORKING_SPACING_MM * size)


def patient_size(chest: Chest, inside: BoolArray) -> float:
    """The patient's size, from the width of the body, or of the lungs if these seem larger.

    A body that the field of view cuts on both sides says less: its width is taken for that of a
    smaller adult.

    Args:
        chest: The working copy at size 1.
        inside: (L, P, S) air that belongs to the lungs or airways, roughly.
    """
    where = np.nonzero(chest.tissue.any(axis=1))
    first = np.full(chest.tissue.shape[2], chest.tissue.shape[0])
    last = np.full(chest.tissue.shape[2], -1)
    np.minimum.at(first, where[1], where[0])
    np.maximum.at(last, where[1], where[0])
    filled = last >= 0
    body = float(np.median((last - first + 1)[filled])) if filled.any() else 0.0
    typical = _CUT_BODY_MM if body == len(chest.tissue) else _BODY_MM
    lungs = np.flatnonzero(inside.any(axis=(1, 2)))
    ends = np.percentile(np.nonzero(inside)[0], (2, 98)) if lungs.size else np.zeros(2)
    across_mm = float(chest.spacing_mm[0])
    found = max(body * across_mm / typical, float(ends[1] - ends[0]) * across_mm / _LUNGS_MM)
    return float(np.clip(found, _SMALLEST_SIZE, 1.0))


def _body(dense: BoolArray) -> BoolArray:
    # A thin sheet is a table or a blanket: without the opening its hollow would be in the body.
    core = opened(np.pad(dense, 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    pieces, count = label(core)
    if count == 0:
        return np.asarray(core)
    size = np.bincount(pieces.ravel())
    size[0] = 0
    return np.asarray(pieces == size.argmax())
