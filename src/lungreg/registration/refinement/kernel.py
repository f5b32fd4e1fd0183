"""The loops over the places of one step of descent, as numba compiles them.

Each call does the share of one thread. Functions are small for the reader: the compiler puts them
into one another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled, inlined

_Floats = NDArray[np.float32]
_Three = tuple[np.float32, np.float32, np.float32]
_Indices = tuple[int, int, int]


class Compared(NamedTuple):
    """The places of a step and both scans."""

    rows: _Floats
    """(voxels, W) of the moving scan: F features, its share of lung, 1 where it has data."""
    voxels: NDArray[np.int32]
    """(N, 3) the places."""
    features: _Floats
    """(N, F) of the fixed scan."""
    lungs: _Floats
    """(N,) share of fixed lung."""
    weight: _Floats
    """(N,) of the places' features."""
    outline_weight: _Floats
    """(N,) of their shares of lung."""
    shape: _Indices
    """Voxels of the level along each axis."""
    control: int
    """Voxels from node to node."""
    spacing_mm: np.float32
    """Of the voxels."""
    tolerance: np.float32
    overlap: np.float32


_ONE, _TWO, _ZERO = np.float32(1), np.float32(2), np.float32(0)


@inlined
def _cell(voxel: NDArray[np.int32], control: int, shape: _Indices) -> tuple[_Indices, _Three]:
    """The lowest of the eight nodes around a voxel, and how far it lies towards the others."""
    x, y, z = int(voxel[0]), int(voxel[1]), int(voxel[2])
    a, b, c = x // control, y // control, z // control
    a, b, c = min(a, shape[0] - 2), min(b, shape[1] - 2), min(c, shape[2] - 2)
    per_voxel = _ONE / np.float32(control)
    u = np.float32(x - a * control) * per_voxel
    v = np.float32(y - b * control) * per_voxel
    w = np.float32(z - c * control) * per_voxel
    return (a, b, c), (u, v, w)


@inlined
def _corner_weights(share: _Three, weights: _Floats) -> None:
    """(8,) of trilinear interpolation, the last axis fastest."""
    u, v, w = share
    for corner in range(8):
        x = u if corner & 4 else _ONE - u
        y = v if corner & 2 else _ONE - v
        weights[corner] = x * y * (w if corner & 1 else _ONE - w)


@inlined
def _interpolated(nodes: _Floats, cell: _Indices, weights: _Floats) -> _Three:
    """The displacement in a cell of (3, A, B, C) nodes."""
    a, b, c = cell
    x = y = z = _ZERO
    for corner in range(8):
        i, j, k = a + (corner >> 2), b + ((corner >> 1) & 1), c + (corner & 1)
        x += weights[corner] * nodes[0, i, j, k]
        y += weights[corner] * nodes[1, i, j, k]
        z += weights[corner] * nodes[2, i, j, k]
    return x, y, z


@inlined
def _pull(gradient: _Floats, cell: _Indices, weights: _Floats, pull: _Three) -> None:
    """Add to (3, A, B, C) what a place asks of the eight nodes around it."""
    for corner in range(8):
        a, b, c = cell[0] + (corner >> 2), cell[1] + ((corner >> 1) & 1), cell[2] + (corner & 1)
        gradient[0, a, b, c] += weights[corner] * pull[0]
        gradient[1, a, b, c] += weights[corner] * pull[1]
        gradient[2, a, b, c] += weights[corner] * pull[2]


@inlined
def _between(place: np.float32, size: int) -> tuple[int, np.float32, np.float32]:
    """The lower voxel beside a coordinate, the distance from it, and 1, or 0 if it is outside."""
    inside = min(max(place, _ZERO), np.float32(size - 1))
    low = min(int(inside), size - 2)
    return low, inside - np.float32(low), _ONE if inside == place else _ZERO


@inlined
def _nearest(place: np.float32, size: int) -> int:
    """The voxel nearest to a coordinate."""
    return int(np.rint(min(max(place, _ZERO), np.float32(size - 1))))


@inlined
def _channel(
    rows: _Floats, first: int, channel: int, strides: tuple[int, int], share: _Three
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The value of a channel in a cell of voxels, and its slopes along the axes."""
    u, v, w = share
    far, up = first + strides[0], strides[1]
    a, b = rows[first, channel], rows[first + 1, channel]
    c, d = rows[first + up, channel], rows[first + up + 1, channel]
    e, f = rows[far, channel], rows[far + 1, channel]
    g, h = rows[far + up, channel], rows[far + up + 1, channel]
    ab, cd, ef, gh = b - a, d - c, f - e, h - g
    near_low, near_high, far_low, far_high = a + w * ab, c + w * cd, e + w * ef, g + w * gh
    near_rise, far_rise = near_high - near_low, far_high - far_low
    near, away = near_low + v * near_rise, far_low + v * far_rise
    along = ab + v * (cd - ab)
    return (
        near + u * (away - near),
        away - near,
        near_rise + u * (far_rise - near_rise),
        along + u * (ef + v * (gh - ef) - along),
    )


@inlined
def _squared(
    rows: _Floats, first: int, strides: tuple[int, int], share: _Three, wanted: _Floats
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The squared distance of the features in a cell from the wanted, and half its slopes."""
    total = x = y = z = _ZERO
    for channel in range(len(wanted)):
        value, along_x, along_y, along_z = _channel(rows, first, channel, strides, share)
        apart = value - wanted[channel]
        total += apart * apart
        x += apart * along_x
        y += apart * along_y
        z += apart * along_z
    return total, x, y, z


@compiled
def distance_and_gradient(
    share: tuple[int, int], nodes: _Floats, plane: int, gradient: _Floats, compared: Compared
) -> float:
    """The summed distance of some places, and its gradient at the nodes.

    Args:
        share: Number of the first place, and that after the last one.
        nodes: (3, A, B, C) displacement at the nodes along the grid's axes, mm.
        plane: First plane of nodes that `gradient` holds.
        gradient: (3, P, B, C); the gradient is added to it.
        compared: The places and both scans.
    """
    rows, voxels, features = compared.rows, compared.voxels, compared.features
    shape, control, tolerance = compared.shape, compared.control, compared.tolerance
    count, per_mm = features.shape[1], _ONE / compared.spacing_mm
    strides = (shape[1] * shape[2], shape[2])
    weights = np.empty(8, np.float32)
    total = 0.0
    for place in range(share[0], share[1]):
        cell, part = _cell(voxels[place], control, nodes.shape[1:])
        _corner_weights(part, weights)
        x_mm, y_mm, z_mm = _interpolated(nodes, cell, weights)
        i, u, free_x = _between(np.float32(voxels[place, 0]) + x_mm * per_mm, shape[0])
        j, v, free_y = _between(np.float32(voxels[place, 1]) + y_mm * per_mm, shape[1])
        k, w, free_z = _between(np.float32(voxels[place, 2]) + z_mm * per_mm, shape[2])
        row = i * strides[0] + j * strides[1] + k
        squared, x, y, z = _squared(rows, row, strides, (u, v, w), features[place])
        lung, lung_x, lung_y, lung_z = _channel(rows, row, count, strides, (u, v, w))
        shown = _channel(rows, row, count + 1, strides, (u, v, w))[0]
        seen = shown * compared.weight[place]
        edge = shown * compared.outline_weight[place] * compared.overlap
        apart, divisor = lung - compared.lungs[place], _ONE / (squared + tolerance)
        total += seen * tolerance * squared * divisor + edge * apart * apart
        robust = _TWO * tolerance * tolerance * divisor * divisor * seen * per_mm
        outline = _TWO * edge * apart * per_mm
        x = (robust * x + outline * lung_x) * free_x
        y = (robust * y + outline * lung_y) * free_y
        z = (robust * z + outline * lung_z) * free_z
        _pull(gradient, (cell[0] - plane, cell[1], cell[2]), weights, (x, y, z))
    return total


@compiled
def seen_weight(share: tuple[int, int], nodes: _Floats, compared: Compared) -> tuple[float, float]:
    """The weight of those of some places that the moving scan shows, and that of all of them.

    Args:
        share: Number of the first place, and that after the last one.
        nodes: (3, A, B, C) displacement at the nodes along the grid's axes, mm.
        compared: The places and both scans.
    """
    rows, voxels, shape = compared.rows, compared.voxels, compared.shape
    channel, per_mm = compared.features.shape[1] + 1, _ONE / compared.spacing_mm
    weights = np.empty(8, np.float32)
    seen = total = 0.0
    for place in range(share[0], share[1]):
        cell, part = _cell(voxels[place], compared.control, nodes.shape[1:])
        _corner_weights(part, weights)
        x_mm, y_mm, z_mm = _interpolated(nodes, cell, weights)
        i = _nearest(np.float32(voxels[place, 0]) + x_mm * per_mm, shape[0])
        j = _nearest(np.float32(voxels[place, 1]) + y_mm * per_mm, shape[1])
        k = _nearest(np.float32(voxels[place, 2]) + z_mm * per_mm, shape[2])
        shown = rows[(i * shape[1] + j) * shape[2] + k, channel]
        seen += shown * compared.weight[place]
        total += compared.weight[place]
    return seen, total
