"""Downsample a volume by the mean of blocks of voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.geometry import Grid, Shape

_COMPILED = (np.float32, np.bool_)
"""Types of volumes that one compiled pass takes, with the same values."""


def block_sizes(grid: Grid, spacing_mm: float) -> Shape:
    """Voxels along each axis in a block of about `spacing_mm`, at least one."""
    x, y, z = np.maximum(1, np.rint(spacing_mm / grid.spacing_mm)).astype(int).tolist()
    return x, y, z


def block_mean(volume: NDArray[Any], grid: Grid, blocks: Shape) -> tuple[NDArray[np.float32], Grid]:
    """Mean of each block of voxels, and the grid of the blocks' centres.

    Blocks are whole: where an axis does not divide, its last voxels are repeated, so that the
    coarse grid covers all of the fine one. An average needs no smoothing first, is separable and
    touches each voxel once per axis.

    Args:
        volume: (X, Y, Z) on `grid`, any real type.
        grid: Its grid.
        blocks: Voxels per block along each axis.

    Returns:
        (ceil(X / bx), ceil(Y / by), ceil(Z / bz)) float32, and its grid.
    """
    mean = _block_mean(np.asarray(volume), blocks)
    index = np.diag([*map(float, blocks), 1.0])
    index[:3, 3] = (np.array(blocks) - 1) / 2
    coarse = Grid(shape=mean.shape, affine=grid.affine @ index)
    return np.ascontiguousarray(mean, dtype=np.float32), coarse


def _block_mean(volume: NDArray[Any], blocks: Shape) -> NDArray[Any]:
    # PyTorch tells how many threads there are; what needs no coarse copy does without.
    from lungreg.spatial.threads import has_numba

    if volume.dtype in _COMPILED and volume.size and has_numba():
        from lungreg.spatial.fused import block_means

        return block_means(volume, blocks)
    mean = volume
    for axis, block in enumerate(blocks):
        mean = _axis_mean(mean, axis, block)
    return mean


def _axis_mean(volume: NDArray[Any], axis: int, block: int) -> NDArray[Any]:
    if block == 1:
        return volume
    along = np.moveaxis(volume, axis, 0)
    shape = list(volume.shape)
    shape[axis] = -(-volume.shape[axis] // block)
    mean = np.zeros(shape, dtype=np.result_type(volume.dtype, np.float32))
    total = np.moveaxis(mean, axis, 0)
    for first in range(block):
        part = along[first::block]
        total[: len(part)] += part
        total[len(part) :] += along[-1]
    mean /= np.float32(block)
    return mean
