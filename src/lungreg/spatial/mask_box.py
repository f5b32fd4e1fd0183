"""The box around the voxels of a mask, some of these voxels, and points that lie in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.spatial.geometry import Box, FloatArray, Grid

_SOME_SHARE = 0.01
"""Of an outer slice; a rim of fewer voxels may be noise of the segmentation."""


def is_cut_off(mask: NDArray[Any]) -> bool:
    """Whether a mask goes on beyond its volume: it covers a part of one of the six outer slices.

    Args:
        mask: (X, Y, Z) of any type; voxels that are not zero are inside.
    """
    ends = [mask.take(at, axis=axis) for axis in range(mask.ndim) for at in (0, -1)]
    return any(np.count_nonzero(end) > _SOME_SHARE * end.size for end in ends)


def some_voxels(mask: NDArray[Any], most: int) -> FloatArray:
    """(N, 3) voxels of a mask (X, Y, Z), at most so many, evenly chosen in their order."""
    flat = np.flatnonzero(mask)
    few = flat[:: max(1, -(-len(flat) // most))]
    return np.stack(np.unravel_index(few, mask.shape), axis=1).astype(np.float64)


def line_ends(mask: NDArray[Any]) -> FloatArray:
    """(N, 3) voxels among which are all those that lie furthest in any direction.

    Args:
        mask: (X, Y, Z) of any type; voxels that are not zero are inside.

    Returns:
        The first and the last voxel inside on each line along the last axis.
    """
    x, y = np.nonzero(mask.any(axis=2))
    lines = mask[x, y] > 0
    first, last = lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    ends = [np.stack([x, y, z], axis=1) for z in (first, last)]
    return np.concatenate(ends).astype(np.float64)


def in_mask(points_ras: FloatArray, mask: NDArray[Any] | None, grid: Grid) -> NDArray[np.bool_]:
    """(N,) which points (N, 3) lie in voxels of a mask on a grid, above 0; None is all voxels."""
    voxels = np.rint(grid.to_voxel(points_ras)).astype(int)
    inside = np.asarray(((voxels >= 0) & (voxels < grid.shape)).all(axis=1))
    if mask is not None:
        inside[inside] = mask[tuple(voxels[inside].T)] > 0
    return inside


def mask_box(mask: NDArray[Any], *, margin: int | Sequence[int] = 0) -> Box:
    """The smallest box that holds every voxel of a mask, wider by a margin within the volume.

    `Grid.cropped` gives the box's own grid, `Grid.corners_ras` its corners.

    Args:
        mask: (X, Y, Z) of any type; voxels that are not zero are inside.
        margin: Voxels added on both sides: of every axis, or one number for each.

    Returns:
        A slice for each axis, from the first voxel kept to one past the last.

    Raises:
        DataError: No voxel is inside.
    """
    widths = (margin,) * mask.ndim if isinstance(margin, int) else margin
    spans = []
    for axis, width in enumerate(widths):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if not hit.size:
            msg = "a mask that a box is put around has at least one voxel"
            raise DataError(msg, got="an empty mask")
        first, end = int(hit[0]) - int(width), int(hit[-1]) + 1 + int(width)
        spans.append(slice(max(first, 0), min(end, mask.shape[axis])))
    x, y, z = spans
    return x, y, z
