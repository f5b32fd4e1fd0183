"""The loops over the places of one step of descent, as numba compiles them.

Each call does the share of one thread. Functions are small for the reader: the compiler puts them
into one another. Arrays are read as one line by places that cannot be negative: numba asks of each
other index whether it counts from the end, a fifth of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled, inlined

_Floats = NDArray[np.float32]
_Places = NDArray[np.uintp]
_Three = tuple[np.float32, np.float32, np.float32]
_Indices = tuple[int, int, int]
_Steps = tuple[np.uintp, np.uintp, np.uintp]
_Below = tuple[NDArray[np.uintp], _Floats]
_Cells = tuple[_Below, _Below, _Below]


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
_NEXT, _TWICE = np.uintp(1), np.uintp(2)


@inlined
def _nodes_below(voxels: int, nodes: int, step: np.uintp, control: int) -> _Below:
    """For each voxel along an axis: where the node below it lies, how far it is to the next."""
    starts, shares = np.empty(voxels, np.uintp), np.empty(voxels, np.float32)
    per_voxel = _ONE / np.float32(control)
    for voxel in range(voxels):
        node = min(voxel // control, nodes - 2)
        starts[voxel] = np.uintp(node) * step
        shares[voxel] = np.float32(voxel - node * control) * per_voxel
    return starts, shares


@inlined
def _cells(shape: _Indices, nodes: _Indices, steps: _Steps, control: int) -> _Cells:
    """The nodes below all voxels along the three axes: a division of each place took longer."""
    return (
        _nodes_below(shape[0], nodes[0], steps[0], control),
        _nodes_below(shape[1], nodes[1], steps[1], control),
        _nodes_below(shape[2], nodes[2], steps[2], control),
    )


@inlined
def _cell(cells: _Cells, voxel: NDArray[np.int32]) -> tuple[np.uintp, _Three]:
    """The lowest of the eight nodes around a voxel, and how far it lies towards the others."""
    (below_x, share_x), (below_y, share_y), (below_z, share_z) = cells
    x, y, z = np.uintp(voxel[0]), np.uintp(voxel[1]), np.uintp(voxel[2])
    return below_x[x] + below_y[y] + below_z[z], (share_x[x], share_y[y], share_z[z])


@inlined
def _corners(steps: _Steps) -> _Places:
    """(8,) where the nodes around a cell lie from its lowest one on, the last axis fastest."""
    corners = np.empty(8, np.uintp)
    for corner in range(8):
        x, y, z = corner >> 2, (corner >> 1) & 1, corner & 1
        corners[corner] = np.uintp(x) * steps[0] + np.uintp(y) * steps[1] + np.uintp(z) * steps[2]
    return corners


@inlined
def _corner_weights(share: _Three, weights: _Floats) -> None:
    """(8,) of trilinear interpolation, the last axis fastest."""
    u, v, w = share
    for corner in range(8):
        x = u if corner & 4 else _ONE - u
        y = v if corner & 2 else _ONE - v
        weights[corner] = x * y * (w if corner & 1 else _ONE - w)


@inlined
def _interpolated(nodes: _Floats, first: np.uintp, corners: _Places, weights: _Floats) -> _Three:
    """The displacement in a cell of nodes, of which x comes first for all, then y, then z."""
    apart = np.uintp(len(nodes) // 3)
    x = y = z = _ZERO
    for corner in range(8):
        node = first + corners[corner]
        x += weights[corner] * nodes[node]
        y += weights[corner] * nodes[node + apart]
        z += weights[corner] * nodes[node + _TWICE * apart]
    return x, y, z


@inlined
def _pull(
    gradient: _Floats, first: np.uintp, corners: _Places, weights: _Floats, pull: _Three
) -> None:
    """Add what a place asks of the eight nodes around it."""
    apart = np.uintp(len(gradient) // 3)
    for corner in range(8):
        node = first + corners[corner]
        gradient[node] += weights[corner] * pull[0]
        gradient[node + apart] += weights[corner] * pull[1]
        gradient[node + _TWICE * apart] += weights[corner] * pull[2]


@inlined
def _between(place: np.float32, size: int) -> tuple[np.uintp, np.float32, np.float32]:
    """The lower voxel beside a coordinate, the distance from it, and 1, or 0 if it is outside."""
    inside = min(max(place, _ZERO), np.float32(size - 1))
    low = min(int(inside), size - 2)
    return np.uintp(low), inside - np.float32(low), _ONE if inside == place else _ZERO


@inlined
def _nearest(place: np.float32, size: int) -> np.uintp:
    """The voxel nearest to a coordinate."""
    return np.uintp(np.rint(min(max(place, _ZERO), np.float32(size - 1))))


@inlined
def _channel(
    values: _Floats, first: np.uintp, steps: _Steps, share: _Three
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The value of a channel in a cell of voxels, and its slopes along the axes."""
    u, v, w = share
    far, up, right = steps
    a, b = values[first], values[first + right]
    c, d = values[first + up], values[first + up + right]
    e, f = values[first + far], values[first + far + right]
    g, h = values[first + far + up], values[first + far + up + right]
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
    values: _Floats, first: np.uintp, steps: _Steps, share: _Three, wanted: _Floats
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The squared distance of the features in a cell from the wanted, and half its slopes."""
    total = x = y = z = _ZERO
    for channel in range(np.uintp(len(wanted))):
        value, along_x, along_y, along_z = _channel(values, first + channel, steps, share)
        apart = value - wanted[channel]
        total += apart * apart
        x += apart * along_x
        y += apart * along_y
        z += apart * along_z
    return total, x, y, z


@inlined
def _steps(shape: _Indices, width: int) -> _Steps:
    """From voxel to voxel along each axis, `width` values each."""
    return (
        np.uintp(shape[1] * shape[2] * width),
        np.uintp(shape[2] * width),
        np.uintp(width),
    )


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
    voxels, features, shape = compared.voxels, compared.features, compared.shape
    tolerance, per_mm = compared.tolerance, _ONE / compared.spacing_mm
    values, flat, pulled = compared.rows.reshape(-1), nodes.reshape(-1), gradient.reshape(-1)
    steps, node_steps = _steps(shape, compared.rows.shape[1]), _steps(nodes.shape[1:], 1)
    cells = _cells(shape, nodes.shape[1:], node_steps, compared.control)
    before, lung_channel = np.uintp(plane) * node_steps[0], np.uintp(features.shape[1])
    corners, weights = _corners(node_steps), np.empty(8, np.float32)
    total = 0.0
    for place in range(np.uintp(share[0]), np.uintp(share[1])):
        cell, within = _cell(cells, voxels[place])
        _corner_weights(within, weights)
        x_mm, y_mm, z_mm = _interpolated(flat, cell, corners, weights)
        i, u, free_x = _between(np.float32(voxels[place, 0]) + x_mm * per_mm, shape[0])
        j, v, free_y = _between(np.float32(voxels[place, 1]) + y_mm * per_mm, shape[1])
        k, w, free_z = _between(np.float32(voxels[place, 2]) + z_mm * per_mm, shape[2])
        first = i * steps[0] + j * steps[1] + k * steps[2]
        squared, x, y, z = _squared(values, first, steps, (u, v, w), features[place])
        first += lung_channel
        lung, lung_x, lung_y, lung_z = _channel(values, first, steps, (u, v, w))
        shown = _channel(values, first + _NEXT, steps, (u, v, w))[0]
        seen = shown * compared.weight[place]
        edge = shown * compared.outline_weight[place] * compared.overlap
        apart, divisor = lung - compared.lungs[place], _ONE / (squared + tolerance)
        total += seen * tolerance * squared * divisor + edge * apart * apart
        robust = _TWO * tolerance * tolerance * divisor * divisor * seen * per_mm
        outline = _TWO * edge * apart * per_mm
        x = (robust * x + outline * lung_x) * free_x
        y = (robust * y + outline * lung_y) * free_y
        z = (robust * z + outline * lung_z) * free_z
        _pull(pulled, cell - before, corners, weights, (x, y, z))
    return total


@compiled
def seen_weight(share: tuple[int, int], nodes: _Floats, compared: Compared) -> tuple[float, float]:
    """The weight of those of some places that the moving scan shows, and that of all of them.

    Args:
        share: Number of the first place, and that after the last one.
        nodes: (3, A, B, C) displacement at the nodes along the grid's axes, mm.
        compared: The places and both scans.
    """
    voxels, shape, per_mm = compared.voxels, compared.shape, _ONE / compared.spacing_mm
    values, flat = compared.rows.reshape(-1), nodes.reshape(-1)
    steps, node_steps = _steps(shape, compared.rows.shape[1]), _steps(nodes.shape[1:], 1)
    cells = _cells(shape, nodes.shape[1:], node_steps, compared.control)
    channel = np.uintp(compared.features.shape[1] + 1)
    corners, weights = _corners(node_steps), np.empty(8, np.float32)
    seen = total = 0.0
    for place in range(np.uintp(share[0]), np.uintp(share[1])):
        cell, within = _cell(cells, voxels[place])
        _corner_weights(within, weights)
        x_mm, y_mm, z_mm = _interpolated(flat, cell, corners, weights)
        i = _nearest(np.float32(voxels[place, 0]) + x_mm * per_mm, shape[0])
        j = _nearest(np.float32(voxels[place, 1]) + y_mm * per_mm, shape[1])
        k = _nearest(np.float32(voxels[place, 2]) + z_mm * per_mm, shape[2])
        shown = values[i * steps[0] + j * steps[1] + k * steps[2] + channel]
        seen += shown * compared.weight[place]
        total += compared.weight[place]
    return seen, total
