"""Filters of a volume, as numba compiles them: the values of SciPy and PyTorch to the bit.

Whole lines are added up: those are what the compiler turns into vector instructions, as long as no
index can be negative. They are read within the volume: to cut out each line takes a third as long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled_as_written

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]


@compiled_as_written
def _scaled(image: _Floats, x: int, y: int, weight: np.float64, total: _Doubles) -> None:
    """A line of a volume (X, Y, Z) times a weight, into (Z,)."""
    for z in range(len(total)):
        total[z] = np.float64(image[x, y, z]) * weight


@compiled_as_written
def _add_both(
    image: _Floats,
    near: tuple[int, int],
    far: tuple[int, int],
    weight: np.float64,
    total: _Doubles,
) -> None:
    """The sum of two lines of a volume (X, Y, Z) times a weight, added to (Z,)."""
    x, y = near
    u, v = far
    for z in range(len(total)):
        total[z] += (np.float64(image[x, y, z]) + np.float64(image[u, v, z])) * weight


@compiled_as_written
def _add_shifted(line: _Doubles, near: int, far: int, weight: np.float64, total: _Doubles) -> None:
    """The sum of a line and itself, each from a place on, times a weight, added to (Z,)."""
    size = len(total)
    one, other = line[near : near + size], line[far : far + size]
    for z in range(size):
        total[z] += (one[z] + other[z]) * weight


@compiled_as_written
def _filter_along(
    image: _Floats,
    here: tuple[int, int],
    weights: _Doubles,
    index: NDArray[np.int64],
    room: tuple[_Doubles, _Doubles],
) -> None:
    """One line along itself, into the second of `room`; the first is it continued at its ends."""
    x, y = here
    line, total = room
    reach = len(weights) - 1
    for place in range(len(index)):
        line[place] = image[x, y, index[place]]
    for z in range(len(total)):
        total[z] = line[reach + z] * weights[0]
    for step in range(reach, 0, -1):
        _add_shifted(line, reach - step, reach + step, weights[step], total)


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
    _scaled(image, x, y, weights[0], total)
    for step in range(reach, 0, -1):
        low, high = index[here[axis] + reach - step], index[here[axis] + reach + step]
        if axis == 0:
            _add_both(image, (low, y), (high, y), weights[step], total)
        else:
            _add_both(image, (x, low), (x, high), weights[step], total)


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
                _filter_along(image, (x, y), weights, index, (line, total))
            else:
                _filter_across(image, (x, y), axis, weights, index, total)
            for z in range(len(total)):
                result[x, y, z] = total[z]


@compiled_as_written
def _sides(place: int, step: int, size: int) -> tuple[int, int]:
    """The places on both sides, the ends repeated: what repeats an end last, as PyTorch adds."""
    low, high = max(place - step, 0), min(place + step, size - 1)
    return (high, low) if place < step and place + step < size else (low, high)


@compiled_as_written
def _sum(total: _Floats, middle: _Floats, one: _Floats, other: _Floats) -> None:
    for z in range(len(total)):
        total[z] = middle[z] + one[z] + other[z]


@compiled_as_written
def _sum_planes(total: _Floats, planes: _Floats, here: int, radius: int) -> None:
    """A plane (Y Z,) and its neighbours of (X, Y Z) on both sides."""
    middle = planes[here]
    for step in range(1, radius + 1):
        one, other = _sides(here, step, len(planes))
        _sum(total, middle, planes[one], planes[other])
        middle = total


@compiled_as_written
def _sum_middle(total: _Floats, values: _Floats, length: int, radius: int) -> None:
    """Each run of `length` values and its neighbour runs, but for those near the ends."""
    reach = radius * length
    inner = len(values) - 2 * reach
    if inner < 1:
        return
    found, middle = total[reach : reach + inner], values[reach : reach + inner]
    for step in range(1, radius + 1):
        near, far = reach - step * length, reach + step * length
        _sum(found, middle, values[near : near + inner], values[far : far + inner])
        middle = found


@compiled_as_written
def _sum_run(
    total: _Floats, values: _Floats, line: tuple[int, int], run: int, length: int, radius: int
) -> None:
    """One run of a line, which begins at and has so many values, and its neighbour runs."""
    start, runs = line[0], line[1] // length
    for place in range(start, start + length):
        found = values[place + run * length]
        for step in range(1, radius + 1):
            one, other = _sides(run, step, runs)
            found = found + values[place + one * length] + values[place + other * length]
        total[place + run * length] = found


@compiled_as_written
def _sum_around(total: _Floats, values: _Floats, size: int, length: int, radius: int) -> None:
    """Each run of `length` values of a plane and its neighbour runs in its line of `size` values.

    The whole plane is one line of rows, and each row one of single values.
    """
    _sum_middle(total, values, length, radius)
    runs = size // length
    for start in range(0, len(values), size):
        for run in range(min(radius, runs)):
            _sum_run(total, values, (start, size), run, length, radius)
        for run in range(max(radius, runs - radius), runs):
            _sum_run(total, values, (start, size), run, length, radius)


@compiled_as_written
def mean_share(share: tuple[int, int], volumes: _Floats, radius: int, result: _Floats) -> None:
    """Means over `radius` voxels on both sides along each axis, the edges repeated, in place.

    Args:
        share: First plane of all volumes together, and that after the last one.
        volumes: (V, X, Y, Z).
        radius: Voxels, at least 1.
        result: (V, X, Y, Z).
    """
    _, nx, ny, nz = volumes.shape
    planes, means = volumes.reshape(-1, nx, ny * nz), result.reshape(-1, nx, ny * nz)
    across, both = np.empty(ny * nz, np.float32), np.empty(ny * nz, np.float32)
    count = np.float32((2 * radius + 1) ** 3)
    for number in range(share[0], share[1]):
        volume, x = planes[number // nx], number % nx
        _sum_planes(across, volume, x, radius)
        _sum_around(both, across, ny * nz, nz, radius)
        mean = means[number // nx, x]
        _sum_around(mean, both, nz, 1, radius)
        for place in range(ny * nz):
            mean[place] /= count
