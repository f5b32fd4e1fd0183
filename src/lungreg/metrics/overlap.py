"""Overlap of two masks (Dice) and distance of their surfaces (HD95)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from lungreg.errors import DataError
from lungreg.metrics.comparable import BoolArray, require_same_shape, require_voxels
from lungreg.spatial.geometry import Grid
from lungreg.spatial.mask_box import mask_box


def dice(fixed: BoolArray, moving: BoolArray) -> float:
    """Dice coefficient `2 |F n M| / (|F| + |M|)` (Dice 1945), 0 to 1.

    Args:
        fixed: (X, Y, Z) bool.
        moving: (X, Y, Z) bool, on the fixed grid.

    Raises:
        DataError: Shapes differ, or both masks are empty.
    """
    require_same_shape(fixed, moving)
    total = int(np.count_nonzero(fixed)) + int(np.count_nonzero(moving))
    if total == 0:
        msg = "the Dice of two masks needs a voxel in one of them"
        raise DataError(msg, got="two empty masks")
    return 2.0 * int(np.count_nonzero(fixed & moving)) / total


def hd95_mm(fixed: BoolArray, moving: BoolArray, grid: Grid) -> float | None:
    """95th percentile Hausdorff distance of two masks' surfaces, in mm.

    The larger of the two directed 95th percentiles, as in MONAI's
    `compute_hausdorff_distance(percentile=95)`. A surface voxel has one of its six neighbours
    outside the mask or outside the grid; distances are between voxel centres in the world, so
    that anisotropic, oblique and sheared grids are measured rightly.

    Args:
        fixed: (X, Y, Z) bool.
        moving: (X, Y, Z) bool, on the fixed grid.
        grid: The fixed grid.

    Returns:
        Distance in mm, or None where `moving` is empty.

    Raises:
        DataError: Shapes differ, or the fixed mask is empty.
    """
    require_same_shape(fixed, moving)
    require_voxels(fixed)
    if not moving.any():
        return None
    box = mask_box(fixed | moving, margin=0)
    surfaces = _surface(fixed[box]), _surface(moving[box])
    there = _directed_percentile(surfaces[0], surfaces[1], grid)
    back = _directed_percentile(surfaces[1], surfaces[0], grid)
    return max(there, back)


def _surface(mask: BoolArray) -> BoolArray:
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(3):
        for start in (0, 2):
            part = [slice(1, -1)] * 3
            part[axis] = slice(start, start + mask.shape[axis])
            inner &= padded[tuple(part)]
    return np.asarray(mask & ~inner)


def _directed_percentile(source: BoolArray, target: BoolArray, grid: Grid) -> float:
    """95th percentile over `source` of the distance to `target`, in mm."""
    axes = grid.affine[:3, :3].T
    distances = np.zeros(int(np.count_nonzero(source)))
    # Shared surface voxels have distance 0: only the others are worth a search.
    apart = ~target[source]
    # Halved by place and not by number: voxels are spread evenly, and this takes less time.
    tree = cKDTree(np.argwhere(target) @ axes, balanced_tree=False)
    distances[apart], _ = tree.query(np.argwhere(source & ~target) @ axes, workers=1)
    return float(np.percentile(distances, 95))
