"""The lungs of a scan: found on a coarse copy, outlined on the scan's own grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from lungreg.errors import DataError
from lungreg.registration.lung_segmentation.airways import find_airways
from lungreg.registration.lung_segmentation.chest import (
    LEFT_LUNG,
    RIGHT_LUNG,
    BoolArray,
    Chest,
    LabelArray,
    copy_chest,
    patient_size,
    working_blocks,
)
from lungreg.registration.lung_segmentation.enclosed import enclosed_air
from lungreg.registration.lung_segmentation.sides import right_and_left
from lungreg.registration.lung_segmentation.values import is_one_of
from lungreg.spatial.geometry import FloatArray, Grid, Shape
from lungreg.spatial.mask_box import mask_box
from lungreg.spatial.neighbours import dilated, eroded, within

_CLOSING_MM = 7.0
_LEAST_WHOLE_ML, _MOST_ML = 300.0, 12_000.0
_BOTH_SIDES = (0.1, 0.9)
_ISLANDS_SHARE = 0.1
_RAS = np.array([[0, 1], [1, 1], [2, 1]])


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundLungs:
    """The lungs found in a scan, and what the search found odd about it."""

    labels: LabelArray
    """(X, Y, Z) as `segment_lungs` returns."""
    one_side: bool
    """Only one lung was found, on one side of the body."""


def segment_lungs(hu: NDArray[np.float32], grid: Grid) -> LabelArray:
    """The lungs of a chest CT.

    The body may be cut by the field of view on any side, axes may point anywhere, and voxels may
    be anisotropic: which axis runs from feet to head is read from the affine. The patient may be
    a child, what is around the body or the lungs may be filled with any value, and values in other
    units are read as far as air and tissue differ.

    Args:
        hu: (X, Y, Z) values of the scan, best true Hounsfield units.
        grid: The scan's grid.

    Returns:
        (X, Y, Z) uint8: 1 the right lung, 2 the left lung, or 1 for both where they cannot be
        told apart; all 0 where nothing looks like a lung.

    Raises:
        DataError: `hu` is not on the grid.
    """
    return search_lungs(hu, grid).labels


def search_lungs(hu: NDArray[np.float32], grid: Grid) -> FoundLungs:
    """As `segment_lungs`, with what was found odd on the way."""
    if hu.shape != grid.shape:
        msg = f"a scan on this grid has shape {grid.shape}"
        raise DataError(msg, got=hu.shape)
    chest = copy_chest(hu, grid, 1.0)
    inside = enclosed_air(chest)
    size = patient_size(chest, inside)
    if working_blocks(grid, size) == working_blocks(grid, 1.0):
        chest = replace(chest, size=size)
    else:
        chest = copy_chest(hu, grid, size)
        inside = enclosed_air(chest)
    found = _lungs(chest, inside)
    if not found[0].any() and chest.blank.any():
        # What lies at the sides is the body or a lung then: values were clipped to a window.
        chest = copy_chest(hu, grid, size, blank=False)
        found = _lungs(chest, enclosed_air(chest))
    labels = _on_the_scan(found, chest, hu, grid)
    return FoundLungs(labels=labels, one_side=_one_side(found[0], chest))


def _on_the_scan(
    found: tuple[LabelArray, LabelArray, LabelArray],
    chest: Chest,
    hu: NDArray[np.float32],
    grid: Grid,
) -> LabelArray:
    """Labels on the scan's own grid: between sure and possible the scan's air decides."""
    back = ornt_transform(_RAS, io_orientation(grid.affine))
    lungs, sure, possible = (apply_orientation(part, back) for part in found)
    blocks = working_blocks(grid, chest.size)
    if blocks == (1, 1, 1):
        return np.asarray(lungs)
    air = hu < np.float32(chest.scale.air_below)
    beside = dilated(chest.blank) & (found[2] > 0)
    if beside.any():
        # Lung that was cut out of its surroundings: on its border lie blank voxels, and no air.
        blank = is_one_of(hu, chest.blanks, chest.same)
        air &= ~(blank & _repeated(apply_orientation(beside, back), blocks, hu.shape))
    fine = [_repeated(labels, blocks, hu.shape) for labels in (sure, possible)]
    return np.where((fine[0] > 0) | air, np.maximum(*fine), 0).astype(np.uint8)


def _lungs(chest: Chest, enclosed: BoolArray) -> tuple[LabelArray, LabelArray, LabelArray]:
    """Labels of the lungs, of what is surely in them, and of what may be."""
    airways = find_airways(chest, enclosed)
    result = [np.zeros(chest.air.shape, dtype=np.uint8) for _ in range(3)]
    # Closing goes on to the faces of the volume, and a frame has none of the lung beneath it.
    taken = airways | (chest.blank & ~chest.air)
    right_left = right_and_left(chest, enclosed & ~airways)
    if not _large_enough(right_left, chest) or _is_negative(right_left, chest):
        return result[0], result[1], result[2]
    for value, raw in zip((RIGHT_LUNG, LEFT_LUNG), right_left, strict=False):
        lung = _closed(raw, chest.spacing_mm, _CLOSING_MM * chest.size) & ~taken
        core = eroded(lung, beyond=True) | (lung & ~chest.air)
        around = dilated(lung) & ~taken
        taken |= lung
        for labels, part in zip(result, (lung, core, around), strict=True):
            labels[part] = value
    return result[0], result[1], result[2]


def _large_enough(lungs: list[BoolArray], chest: Chest) -> bool:
    """Whether these can be lungs: what ends within the scan on all sides is a whole lung."""
    if not lungs:
        return False
    both = np.logical_or.reduce(lungs)
    faces = (both[0], both[-1], both[:, 0], both[:, -1], both[..., 0], both[..., -1])
    cut = any(face.any() for face in faces) or bool((dilated(chest.blank) & both).any())
    size = both.sum() * chest.voxel_ml / chest.size**3
    return bool((cut or size > _LEAST_WHOLE_ML) and size < _MOST_ML)


def _is_negative(lungs: list[BoolArray], chest: Chest) -> bool:
    """Whether these are a body whose lungs are brighter than it: as large islands in it."""
    if chest.scale.exact:
        return False
    both = np.logical_or.reduce(lungs)
    filled = [binary_fill_holes(both[..., k]) for k in range(both.shape[2])]
    islands = np.stack(filled, axis=2) & ~both & ~chest.air & ~chest.tissue
    return bool(np.count_nonzero(islands) > _ISLANDS_SHARE * np.count_nonzero(both))


def _one_side(labels: LabelArray, chest: Chest) -> bool:
    """Whether all lung lies on one side of the body's middle."""
    body = chest.tissue | (labels > 0)
    if not labels.any() or LEFT_LUNG in labels or not chest.tissue.any():
        return False
    lung = np.nonzero(labels)
    middle = np.nonzero(body[:, :, np.unique(lung[2])].any(axis=(1, 2)))[0][[0, -1]].mean()
    right = float(np.mean(lung[0] > middle))
    return not _BOTH_SIDES[0] < right < _BOTH_SIDES[1]


def _closed(lung: BoolArray, spacing_mm: FloatArray, closing_mm: float) -> BoolArray:
    """Closing by a ball in mm, and inner holes filled; the volume's faces erode nothing."""
    margin = np.ceil(closing_mm / spacing_mm).astype(int) + 1
    box = mask_box(lung, margin=margin.tolist())
    grown = within(lung[box], closing_mm, spacing_mm.tolist())
    closed = lung.copy()
    if grown.all():
        return closed
    closed[box] |= ~within(~grown, closing_mm, spacing_mm.tolist())
    closed[box] = binary_fill_holes(closed[box])
    return closed


def _repeated(labels: NDArray[Any], blocks: Shape, shape: tuple[int, ...]) -> NDArray[Any]:
    for axis, block in enumerate(blocks):
        labels = np.repeat(labels, block, axis=axis)
    return labels[tuple(slice(n) for n in shape)]
