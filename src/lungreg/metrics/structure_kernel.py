"""The sum of the structural similarity over a mask, as numba compiles it: no copy of a volume.

Local means are taken of one plane at a time, and only of lines that the mask needs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled, inlined

_Floats = NDArray[np.float32]
_Indices = NDArray[np.int64]
_TWO = np.float32(2)


@inlined
def _set_moments(x: _Floats, y: _Floats, weight: np.float32, found: _Floats) -> None:
    """Values of two lines (Z,), their product and the sum of their squares: into (4, Z)."""
    for z in range(len(x)):
        a, b = x[z], y[z]
        found[0, z] = weight * a
        found[1, z] = weight * b
        found[2, z] = weight * (a * b)
        found[3, z] = weight * (a * a + b * b)


@inlined
def _add_moments(
    near: tuple[_Floats, _Floats], far: tuple[_Floats, _Floats], weight: np.float32, found: _Floats
) -> None:
    """As `_set_moments`, of the lines of both images on both sides, added."""
    x, y, u, v = near[0], near[1], far[0], far[1]
    for z in range(len(x)):
        a, b, c, d = x[z], y[z], u[z], v[z]
        found[0, z] += weight * (a + c)
        found[1, z] += weight * (b + d)
        found[2, z] += weight * (a * b + c * d)
        found[3, z] += weight * ((a * a + b * b) + (c * c + d * d))


@inlined
def _set_line(line: _Floats, weight: np.float32, found: _Floats) -> None:
    for z in range(len(found)):
        found[z] = weight * line[z]


@inlined
def _add_lines(near: _Floats, far: _Floats, weight: np.float32, found: _Floats) -> None:
    for z in range(len(found)):
        found[z] += weight * (near[z] + far[z])


@inlined
def _across_planes(
    images: tuple[_Floats, _Floats],
    here: tuple[int, int],
    weights: _Floats,
    index: _Indices,
    found: _Floats,
) -> None:
    """Moments (4, Z) of one line, averaged over the lines of the planes on both sides."""
    x, y = here
    one, other = images
    reach = len(weights) - 1
    _set_moments(one[x, y], other[x, y], weights[0], found)
    for step in range(1, reach + 1):
        low, high = index[x + reach - step], index[x + reach + step]
        near, far = (one[low, y], other[low, y]), (one[high, y], other[high, y])
        _add_moments(near, far, weights[step], found)


@inlined
def _within_plane(
    planes: _Floats,
    y: int,
    weights: _Floats,
    along: tuple[_Indices, _Indices],
    room: tuple[_Floats, _Floats, _Floats],
) -> None:
    """Averages of the moments (Y, 4, Z) of a plane over both its axes, at one line."""
    line, longer, found = room
    reach, size = len(weights) - 1, line.shape[0]
    for moment in range(4):
        _set_line(planes[y, moment], weights[0], line)
        for step in range(1, reach + 1):
            low, high = along[0][y + reach - step], along[0][y + reach + step]
            _add_lines(planes[low, moment], planes[high, moment], weights[step], line)
        for place in range(len(longer)):
            longer[place] = line[along[1][place]]
        _set_line(longer[reach : reach + size], weights[0], found[moment])
        for step in range(1, reach + 1):
            near, far = reach - step, reach + step
            ends = longer[near : near + size], longer[far : far + size]
            _add_lines(ends[0], ends[1], weights[step], found[moment])


@inlined
def _similarity(means: _Floats, inside: NDArray[np.bool_], constants: tuple[float, float]) -> float:
    """Sum over the voxels of a line that are inside, from its averaged moments (4, Z)."""
    total, one, two = 0.0, np.float32(constants[0]), np.float32(constants[1])
    for z in range(len(inside)):
        if inside[z]:
            x, y = means[0, z], means[1, z]
            cross, squares = _TWO * x * y, x * x + y * y
            structure = (_TWO * means[2, z] - cross + two) / (means[3, z] - squares + two)
            total += np.float64(structure * (cross + one) / (squares + one))
    return total


@compiled
def structure_share(
    share: tuple[int, int],
    images: tuple[_Floats, _Floats],
    mask: NDArray[np.bool_],
    lines: NDArray[np.bool_],
    weights: _Floats,
    along: tuple[_Indices, _Indices, _Indices],
    constants: tuple[float, float],
) -> float:
    """The sum over some planes.

    Args:
        share: First plane, and that after the last one.
        images: (X, Y, Z) each.
        mask: (X, Y, Z) where it is summed.
        lines: (X, Y) which lines of the mask hold anything.
        weights: (R + 1,) of the local mean along each axis, from the middle outwards.
        along: (n + 2 R,) for each axis, its voxels with R more on both sides.
        constants: C1 and C2 of Wang et al. (2004).
    """
    reach, total = len(weights) - 1, 0.0
    _, ny, nz = mask.shape
    planes = np.empty((ny, 4, nz), np.float32)
    room = (
        np.empty(nz, np.float32),
        np.empty(nz + 2 * reach, np.float32),
        np.empty((4, nz), np.float32),
    )
    for x in range(share[0], share[1]):
        needed = np.flatnonzero(lines[x])
        if not len(needed):
            continue
        for y in range(max(needed[0] - reach, 0), min(needed[-1] + reach + 1, ny)):
            _across_planes(images, (x, y), weights, along[0], planes[y])
        for y in range(ny):
            if lines[x, y]:
                _within_plane(planes, y, weights, (along[1], along[2]), room)
                total += _similarity(room[2], mask[x, y], constants)
    return total
