"""Means of blocks of voxels in one pass, as numba compiles them: the values of `coarsening`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled_as_written
from lungreg.spatial.geometry import Shape

_Floats = NDArray[np.float32]


@compiled_as_written
def _add_plane(total: _Floats, volume: NDArray[Any], x: int) -> None:
    for y in range(total.shape[0]):
        for z in range(total.shape[1]):
            total[y, z] += np.float32(volume[x, y, z])


@compiled_as_written
def _add_line(total: _Floats, plane: _Floats, y: int) -> None:
    for z in range(len(total)):
        total[z] += plane[y, z]


@compiled_as_written
def _mean_along(line: _Floats, block: int, means: _Floats) -> None:
    last = len(line) - 1
    for z in range(len(means)):
        total = np.float32(0)
        for step in range(block):
            total += line[min(z * block + step, last)]
        means[z] = total / np.float32(block)


@compiled_as_written
def block_share(
    share: tuple[int, int], volume: NDArray[Any], blocks: Shape, result: _Floats
) -> None:
    """Means of blocks, for some planes of the result, in place.

    Args:
        share: First plane of the result, and that after the last one.
        volume: (X, Y, Z), the last voxels of an axis that does not divide are repeated.
        blocks: Voxels per block along each axis.
        result: (A, B, C).
    """
    nx, ny, nz = volume.shape
    plane, line = np.empty((ny, nz), np.float32), np.empty(nz, np.float32)
    for a in range(share[0], share[1]):
        plane[:] = 0
        for step in range(blocks[0]):
            _add_plane(plane, volume, min(a * blocks[0] + step, nx - 1))
        plane /= np.float32(blocks[0])
        for b in range(result.shape[1]):
            line[:] = 0
            for step in range(blocks[1]):
                _add_line(line, plane, min(b * blocks[1] + step, ny - 1))
            line /= np.float32(blocks[1])
            _mean_along(line, blocks[2], result[a, b])
