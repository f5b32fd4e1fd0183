"""Filters of a volume, as numba compiles them: the values of SciPy and PyTorch to the bit.

Whole lines are added up: those are what the compiler turns into vector instructions, as long as no
index can be negative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled_as_written

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]


@compiled_as_written
def _scaled(line: _Floats | _Doubles, weight: np.float64, total: _Doubles) -> None:
    for z in range(len(total)):
        total[z] = np.float64(line[z]) * weight


@compiled_as_written
def _add_both(
    near: _Floats | _Doubles, far: _Floats | _Doubles, weight: np.float64, total: _Doubles
) -> None:
    for z in range(len(total)):
        total[z] += (np.float64(near[z]) + np.float64(far[z])) * weight


@compiled_as_written
def _filter_along(
    values: _Floats, weights: _Doubles, index: NDArray[np.int64], line: _Doubles, total: _Doubles
) -> None:
    """One line (Z,) along itself, into `total`; `line` is room for it, continued at its ends."""
    reach, size = len(weights) - 1, len(total)
    for place in range(len(index)):
        line[place] = values[index[place]]
    _scaled(line[reach : reach + size], weights[0], total)
    for step in range(reach, 0, -1):
        near, far = reach - step, reach + step
        _add_both(line[near : near + size], line[far : far + size], weights[step], total)


@compiled_as_written
def _filter_across(
    image: _Floats,
    here: tuple[int, int],
    axis: int,
    weights: _Doubles,
    index: NDArray[np.int64],
    total: _Doubles,
) -> None:
    """One line (Z,) along the first or second axis of the volume, into `total`."""
    x, y = here
    reach = len(weights) - 1
    _scaled(image[x, y], weights[0], total)
    for step in range(reach, 0, -1):
        low, high = index[here[axis] + reach - step], index[here[axis] + reach + step]
        if axis == 0:
            _add_both(image[low, y], image[high, y], weights[step], total)
        else:
            _add_both(image[x, low], image[x, high], weights[step], total)


@compiled_as_written
def filter_share(
    share: tuple[int, int],
    image: _Floats,
    axis: int,
    weights: _Doubles,
    index: NDArray[np.int64],
    result: _Floats,
) -> None:
    """Correlate a volume with a symmetric kernel along one axis, for some planes, in place.

    Args:
        share: First plane, and that after the last one.
        image: (X, Y, Z).
        axis: Which one.
        weights: (R + 1,) from the middle outwards.
        index: (n + 2 R,) the voxels along the axis with R more on both sides.
        result: (X, Y, Z).
    """
    total, line = np.empty(image.shape[2], np.float64), np.empty(len(index), np.float64)
    for x in range(share[0], share[1]):
        for y in range(image.shape[1]):
            if axis == 2:
                _filter_along(image[x, y], weights, index, line, total)
            else:
                _filter_across(image, (x, y), axis, weights, index, total)
            result[x, y] = total


@compiled_as_written
def _add(total: _Floats, values: _Floats) -> None:
    for z in range(len(total)):
        total[z] += values[z]


@compiled_as_written
def _add_planes(total: _Floats, planes: _Floats, here: int, radius: int) -> None:
    """Add to a plane (Y Z,) its neighbours of (X, Y Z) on both sides, the ends repeated."""
    size = len(planes)
    for step in range(1, radius + 1):
        near = min(step, size)
        if here >= near:
            _add(total, planes[here - near])
        if here + near < size:
            _add(total, planes[here + near])
        if here < near:
            _add(total, planes[0])
        if here >= size - near:
            _add(total, planes[size - 1])


@compiled_as_written
def _add_shifted(total: _Floats, values: _Floats, radius: int, length: int) -> None:
    """Add to each run of `length` values of a line its neighbour runs, the ends repeated.

    Rows of a plane, for `length` Z; single values of a row, for 1.
    """
    size = len(values)
    for step in range(1, radius + 1):
        near = min(step * length, size)
        _add(total[near:], values[: size - near])
        _add(total[: size - near], values[near:])
        for first in range(0, near, length):
            _add(total[first : first + length], values[:length])
        for first in range(size - near, size, length):
            _add(total[first : first + length], values[size - length :])


@compiled_as_written
def mean_share(share: tuple[int, int], volumes: _Floats, radius: int, result: _Floats) -> None:
    """Means over `radius` voxels on both sides along each axis, the edges repeated, in place.

    Args:
        share: First plane of all volumes together, and that after the last one.
        volumes: (V, X, Y, Z).
        radius: Voxels.
        result: (V, X, Y, Z).
    """
    _, nx, ny, nz = volumes.shape
    planes, means = volumes.reshape(-1, nx, ny * nz), result.reshape(-1, nx, ny * nz)
    across, both = np.empty(ny * nz, np.float32), np.empty(ny * nz, np.float32)
    count = np.float32((2 * radius + 1) ** 3)
    for number in range(share[0], share[1]):
        volume, x = planes[number // nx], number % nx
        across[:] = volume[x]
        _add_planes(across, volume, x, radius)
        both[:] = across
        _add_shifted(both, across, radius, nz)
        mean = means[number // nx, x]
        mean[:] = both
        for y in range(0, ny * nz, nz):
            _add_shifted(mean[y : y + nz], both[y : y + nz], radius, 1)
        for place in range(ny * nz):
            mean[place] /= count
