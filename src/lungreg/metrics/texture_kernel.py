"""The texture of two images over a mask, as numba compiles it: sums over a box that moves along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled, inlined

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]
_Mask = NDArray[np.bool_]


@inlined
def _add_line(one: _Floats, other: _Floats, inside: _Mask, sign: float, sums: _Doubles) -> None:
    """Values of two lines (Z,) inside, and their number, into (3, Z)."""
    for z in range(len(inside)):
        weight = sign if inside[z] else 0.0
        sums[0, z] += weight * one[z]
        sums[1, z] += weight * other[z]
        sums[2, z] += weight


@inlined
def _add_plane(
    images: tuple[_Floats, _Floats], mask: _Mask, x: int, sign: float, sums: _Doubles
) -> None:
    """One plane, where there is one, into (Y, 3, Z)."""
    if x < 0 or x >= len(mask):
        return
    for y in range(mask.shape[1]):
        _add_line(images[0][x, y], images[1][x, y], mask[x, y], sign, sums[y])


@inlined
def _add_sums(planes: _Doubles, y: int, sign: float, sums: _Doubles) -> None:
    """One line, where there is one, of (Y, 3, Z) into (3, Z)."""
    if y < 0 or y >= len(planes):
        return
    for number in range(3):
        line, total = planes[y, number], sums[number]
        for z in range(len(line)):
            total[z] += sign * line[z]


@inlined
def _energies(
    one: _Floats, other: _Floats, inside: _Mask, sums: _Doubles, side: int
) -> tuple[float, float]:
    """Of the difference of two lines' textures and of both, from sums (3, Z) across the line."""
    below, size = side // 2, len(inside)
    a = b = count = apart = both = 0.0
    for z in range(min(side - below - 1, size)):
        a, b, count = a + sums[0, z], b + sums[1, z], count + sums[2, z]
    for z in range(size):
        new, old = z + side - below - 1, z - below - 1
        if new < size:
            a, b, count = a + sums[0, new], b + sums[1, new], count + sums[2, new]
        if old >= 0:
            a, b, count = a - sums[0, old], b - sums[1, old], count - sums[2, old]
        if inside[z]:
            texture, second = one[z] - a / count, other[z] - b / count
            apart += (texture - second) ** 2
            both += texture**2 + second**2
    return apart, both


@compiled
def texture_share(
    share: tuple[int, int],
    images: tuple[_Floats, _Floats],
    mask: _Mask,
    lines: _Mask,
    sides: tuple[int, int, int],
) -> tuple[float, float]:
    """The energies of some planes; see `texture.texture_energies`.

    Args:
        share: First plane, and that after the last one.
        images: (X, Y, Z) each.
        mask: (X, Y, Z).
        lines: (X, Y) which lines of the mask hold anything.
        sides: Voxels of the box along each axis, of an even number one more below than above.
    """
    apart, both = 0.0, 0.0
    _, ny, nz = mask.shape
    below_x, below_y = sides[0] // 2, sides[1] // 2
    above_x, above_y = sides[0] - below_x - 1, sides[1] - below_y - 1
    planes, across = np.zeros((ny, 3, nz)), np.empty((3, nz))
    for x in range(share[0] - below_x, share[0] + above_x):
        _add_plane(images, mask, x, 1.0, planes)
    for x in range(share[0], share[1]):
        _add_plane(images, mask, x + above_x, 1.0, planes)
        if x > share[0]:
            _add_plane(images, mask, x - below_x - 1, -1.0, planes)
        across[:] = 0
        for y in range(min(above_y, ny)):
            _add_sums(planes, y, 1.0, across)
        for y in range(ny):
            _add_sums(planes, y + above_y, 1.0, across)
            _add_sums(planes, y - below_y - 1, -1.0, across)
            if lines[x, y]:
                found = _energies(images[0][x, y], images[1][x, y], mask[x, y], across, sides[2])
                apart, both = apart + found[0], both + found[1]
    return apart, both
