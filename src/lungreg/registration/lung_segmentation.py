"""Lungs from a CT that comes without a mask, by threshold and shape.

The classical recipe (Hu, Hoffman and Reinhardt 2001, doi:10.1109/42.929615): air inside the body,
without the trachea, closed over vessels, the two sides apart. It is good enough to align and to
judge a registration by; it leaves out consolidated lung, which is no air.

Everything is decided on a copy of about 2.5 mm turned to RAS; only the outline is drawn on the
scan's own grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    binary_opening,
    distance_transform_edt,
    find_objects,
    label,
)

from lungreg.errors import DataError
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import Box, FloatArray, Grid
from lungreg.spatial.mask_box import mask_box

RIGHT_LUNG = 1
LEFT_LUNG = 2

BoolArray = NDArray[np.bool_]
LabelArray = NDArray[np.uint8]

_WORKING_SPACING_MM = 2.5
_AIR_BELOW_HU = -320.0
_SURROUNDED_SHARE = 0.5
_CLOSING_MM = 7.0
_SMALLEST_LUNG_ML = 50.0
_SECOND_TO_FIRST = 0.1
_SIDE_TO_SIDE = 0.4
_GAS_BELOW_HU = -970.0
_AIRWAY_BELOW_HU = -900.0
_AIRWAY_AREA_MM2 = (40.0, 800.0)
_AIRWAY_OFF_MIDDLE_MM = 35.0
_AIRWAY_LENGTH_MM = 20.0
_PARTED_BELOW_HU = -500.0
_CUTS_MM = (3.0, 6.0, 9.0, 12.0)
_SIDES_APART_MM = 50.0
_SMALLER_SIDE_SHARE = 0.15
_RAS = np.array([[0, 1], [1, 1], [2, 1]])

_IN_AXIAL_SLICE = np.zeros((3, 3, 3), dtype=bool)
_IN_AXIAL_SLICE[:, 1, 1] = _IN_AXIAL_SLICE[1, :, 1] = True


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chest:
    """The working copy: axis 0 runs left to right, 1 back to front, 2 feet to head."""

    hu: NDArray[np.float32]
    """(L, P, S) Hounsfield units."""
    air: BoolArray
    """(L, P, S) what is thin enough for lung, gas or outside."""
    tissue: BoolArray
    """(L, P, S) the body: the largest piece of what is not air, without thin sheets."""
    spacing_mm: FloatArray
    """(3,)"""

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(np.prod(self.spacing_mm)) / 1000.0


def segment_lungs(hu: NDArray[np.float32], grid: Grid) -> LabelArray:
    """The lungs of a chest CT.

    The body may be cut by the field of view on any side, axes may point anywhere, and voxels may
    be anisotropic: which axis runs from feet to head is read from the affine.

    Args:
        hu: (X, Y, Z) true Hounsfield units.
        grid: The scan's grid.

    Returns:
        (X, Y, Z) uint8: 1 the right lung, 2 the left lung, or 1 for both where they cannot be
        told apart; all 0 where nothing looks like a lung.

    Raises:
        DataError: `hu` is not on the grid.
    """
    if hu.shape != grid.shape:
        msg = f"a scan on this grid has shape {grid.shape}"
        raise DataError(msg, got=hu.shape)
    blocks = block_sizes(grid, _WORKING_SPACING_MM)
    coarse, coarse_grid = block_mean(hu, grid, blocks)
    turn = io_orientation(coarse_grid.affine)
    chest = _chest(apply_orientation(coarse, turn), coarse_grid.spacing_mm[_order(turn)])
    lungs, sure, possible = _lungs(chest)
    back = ornt_transform(_RAS, turn)
    lungs, sure, possible = (apply_orientation(part, back) for part in (lungs, sure, possible))
    return lungs if blocks == (1, 1, 1) else _outlined(hu, sure, possible, blocks)


def _order(turn: NDArray[np.floating]) -> NDArray[np.intp]:
    """Which input axis becomes each output axis of a nibabel orientation."""
    return np.argsort(turn[:, 0])


def _chest(hu: NDArray[np.float32], spacing_mm: FloatArray) -> _Chest:
    air = hu < _AIR_BELOW_HU
    # A thin sheet is a table or a blanket: without the opening its hollow would be in the body.
    tissue = _largest(binary_opening(np.pad(~air, 1, mode="edge"))[1:-1, 1:-1, 1:-1])
    return _Chest(hu=hu, air=air, tissue=tissue, spacing_mm=spacing_mm)


def _lungs(chest: _Chest) -> tuple[LabelArray, LabelArray, LabelArray]:
    """Labels of the lungs, of what is surely in them, and of what may be."""
    enclosed = _enclosed(chest)
    airways = _airways(chest, enclosed)
    right_left = _sides(chest, enclosed & ~airways)
    result = [np.zeros(chest.air.shape, dtype=np.uint8) for _ in range(3)]
    taken = airways.copy()
    for value, raw in zip((RIGHT_LUNG, LEFT_LUNG), right_left, strict=False):
        lung = _closed(raw, chest.spacing_mm) & ~taken
        core = binary_erosion(lung, border_value=1) | (lung & ~chest.air)
        around = binary_dilation(lung) & ~taken
        taken |= lung
        for labels, part in zip(result, (lung, core, around), strict=True):
            labels[part] = value
    return result[0], result[1], result[2]


def _enclosed(chest: _Chest) -> BoolArray:
    """Air that within axial slices has the body on three of left, right, back and front.

    Only axial slices count, so that lungs cut by the top or bottom of the volume are enclosed
    like any others, and the air around the body is not; the fourth side may be cut off too.
    """
    sides = np.zeros(chest.air.shape, dtype=np.uint8)
    for axis in (0, 1):
        forth = np.logical_or.accumulate(chest.tissue, axis=axis)
        flipped = np.flip(chest.tissue, axis)
        back = np.flip(np.logical_or.accumulate(flipped, axis=axis), axis)
        sides += forth
        sides += back
    pieces, _ = label(chest.air, _IN_AXIAL_SLICE)
    size = np.bincount(pieces.ravel())
    surrounded = (sides >= 3).ravel()
    share = np.bincount(pieces.ravel(), weights=surrounded) / np.maximum(size, 1)
    keep = share > _SURROUNDED_SHARE
    keep[0] = False
    return np.asarray(keep[pieces])


def _airways(chest: _Chest, enclosed: BoolArray) -> BoolArray:
    """Trachea and main bronchi, roughly.

    Small dark pieces of axial slices near the middle of the body form stacks; of the long ones,
    the airway reaches highest.
    """
    pieces, _ = label(enclosed & (chest.hu < _AIRWAY_BELOW_HU), _IN_AXIAL_SLICE)
    size = np.maximum(np.bincount(pieces.ravel()), 1)
    across_mm = np.arange(enclosed.shape[0])[:, None, None] * chest.spacing_mm[0]
    across_mm = np.broadcast_to(across_mm, enclosed.shape)
    off_mm = np.bincount(pieces.ravel(), weights=across_mm.ravel()) / size
    off_mm -= across_mm[chest.tissue].mean() if chest.tissue.any() else 0.0
    area_mm2 = size * chest.spacing_mm[0] * chest.spacing_mm[1]
    keep = (area_mm2 > _AIRWAY_AREA_MM2[0]) & (area_mm2 < _AIRWAY_AREA_MM2[1])
    keep &= np.abs(off_mm) < _AIRWAY_OFF_MIDDLE_MM
    keep[0] = False
    stacks, _ = label(keep[pieces])
    slices = [box[2] for box in find_objects(stacks)]
    long = [
        (part.stop, number)
        for number, part in enumerate(slices, start=1)
        if (part.stop - part.start) * chest.spacing_mm[2] >= _AIRWAY_LENGTH_MM
    ]
    if not long:
        return np.zeros(enclosed.shape, dtype=bool)
    return np.asarray(binary_dilation(stacks == max(long)[1]))


def _sides(chest: _Chest, candidates: BoolArray) -> list[BoolArray]:
    """The right and the left lung, or one mask where they cannot be told apart."""
    pieces, _ = label(candidates)
    size = np.bincount(pieces.ravel())
    size[0] = 0
    big = [int(i) for i in np.argsort(-size)[:6] if size[i] * chest.voxel_ml > _SMALLEST_LUNG_ML]
    lungs = [pieces == i for i in big]
    lungs = [lung for lung in lungs if np.median(chest.hu[lung]) > _GAS_BELOW_HU]
    if not lungs:
        return []
    parted = lungs[:2] if _are_two(lungs, chest) else _parted(lungs[0], chest)
    if not parted and len(lungs) > 1:
        first, second = lungs[:2]
        enough = np.count_nonzero(second) > _SECOND_TO_FIRST * np.count_nonzero(first)
        parted = [first, second] if enough else []
    if not parted:
        return lungs[:1]
    return sorted(parted, key=lambda lung: -float(np.nonzero(lung)[0].mean()))


def _are_two(lungs: list[BoolArray], chest: _Chest) -> bool:
    """Whether the two largest pieces are the two lungs already, so that nothing is to be parted."""
    if len(lungs) < 2 or lungs[1].sum() < _SIDE_TO_SIDE * lungs[0].sum():
        return False
    across = [np.nonzero(lung)[0].mean() * chest.spacing_mm[0] for lung in lungs[:2]]
    return abs(float(across[0] - across[1])) > _SIDES_APART_MM


def _parted(lung: BoolArray, chest: _Chest) -> list[BoolArray]:
    """One piece that is both lungs cut in two where it is thinnest; nothing where it is one."""
    box, spacing_mm = mask_box(lung), chest.spacing_mm
    # Where the lungs meet, a thin sheet of pleura shows as a lighter seam.
    inside = lung[box] & (chest.hu[box] < _PARTED_BELOW_HU)
    depth_mm = distance_transform_edt(inside, sampling=spacing_mm)
    for cut_mm in _CUTS_MM:
        pieces, count = label(depth_mm > cut_mm)
        if count < 2:
            continue
        size = np.bincount(pieces.ravel())
        size[0] = 0
        first, second = np.argsort(-size)[:2]
        across = [np.nonzero(pieces == i)[0].mean() * spacing_mm[0] for i in (first, second)]
        if size[second] < _SMALLER_SIDE_SHARE * size[first]:
            continue
        if abs(across[0] - across[1]) < _SIDES_APART_MM:
            continue
        return _nearest(lung, box, pieces == first, pieces == second, spacing_mm)
    return []


def _nearest(
    lung: BoolArray,
    box: Box,
    first: BoolArray,
    second: BoolArray,
    spacing_mm: FloatArray,
) -> list[BoolArray]:
    """The lung's voxels divided by which of two seeds is nearer; seeds are on the box."""
    gap = distance_transform_edt(~first, sampling=spacing_mm)
    gap -= distance_transform_edt(~second, sampling=spacing_mm)
    sides = [np.zeros(lung.shape, dtype=bool) for _ in range(2)]
    sides[0][box], sides[1][box] = lung[box] & (gap <= 0), lung[box] & (gap > 0)
    return sides


def _closed(lung: BoolArray, spacing_mm: FloatArray) -> BoolArray:
    """Closing by a ball in mm, and inner holes filled; the volume's faces erode nothing."""
    margin = np.ceil(_CLOSING_MM / spacing_mm).astype(int) + 1
    box = mask_box(lung, margin=margin.tolist())
    grown = distance_transform_edt(~lung[box], sampling=spacing_mm) <= _CLOSING_MM
    closed = lung.copy()
    if grown.all():
        return closed
    closed[box] |= distance_transform_edt(grown, sampling=spacing_mm) > _CLOSING_MM
    closed[box] = binary_fill_holes(closed[box])
    return closed


def _outlined(
    hu: NDArray[np.float32], sure: LabelArray, possible: LabelArray, blocks: tuple[int, int, int]
) -> LabelArray:
    """Labels on the scan's own grid: between sure and possible the scan's air decides."""
    fine = [_repeated(labels, blocks, hu.shape) for labels in (sure, possible)]
    return np.where((fine[0] > 0) | (hu < _AIR_BELOW_HU), np.maximum(*fine), 0).astype(np.uint8)


def _repeated(
    labels: LabelArray, blocks: tuple[int, int, int], shape: tuple[int, ...]
) -> LabelArray:
    for axis, block in enumerate(blocks):
        labels = np.repeat(labels, block, axis=axis)
    return labels[tuple(slice(n) for n in shape)]


def _largest(mask: BoolArray) -> BoolArray:
    pieces, count = label(mask)
    if count == 0:
        return mask
    size = np.bincount(pieces.ravel())
    size[0] = 0
    return np.asarray(pieces == size.argmax())
