"""Interpolation and differentiation on a grid, as numba compiles them.

The operations are those of PyTorch's `grid_sample` and `gradient` in the same order, each rounded
alone, and one pass takes a third of the time. On a CPU the values are the same to the bit, but for
products of matrices, whose rounding in PyTorch depends on the processor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled_as_written

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]

Span = tuple[int, int, np.float32, np.float32]
"""Along an axis: the node below a place, the step to the next one, and the shares of both."""


@compiled_as_written
def between(place: np.float32, size: int) -> Span:
    """What a place along an axis of so many nodes lies between; beyond the outer ones, at them."""
    last, one, two = np.float32(size - 1), np.float32(1), np.float32(2)
    # By way of -1 to 1, as `grid_sample` takes places.
    unit = place * (two / np.float32(max(size - 1, 1))) - one
    inside = (unit + one) / two * last
    if not inside > np.float32(0):
        inside = np.float32(0)
    if inside > last:
        inside = last
    low = int(inside)
    return low, min(1, size - 1 - low), np.float32(low + 1) - inside, inside - np.float32(low)


@compiled_as_written
def linear(volume: _Floats, on_x: Span, on_y: Span, on_z: Span) -> np.float32:
    """The mean of the eight nodes around a place, by its nodes and shares along each axis."""
    x, dx, x_near, x_far = on_x
    y, dy, y_near, y_far = on_y
    z, dz, z_near, z_far = on_z
    total: np.float32 = volume[x, y, z] * (z_near * y_near * x_near)
    total += volume[x, y, z + dz] * (z_far * y_near * x_near)
    total += volume[x, y + dy, z] * (z_near * y_far * x_near)
    total += volume[x, y + dy, z + dz] * (z_far * y_far * x_near)
    total += volume[x + dx, y, z] * (z_near * y_near * x_far)
    total += volume[x + dx, y, z + dz] * (z_far * y_near * x_far)
    total += volume[x + dx, y + dy, z] * (z_near * y_far * x_far)
    total += volume[x + dx, y + dy, z + dz] * (z_far * y_far * x_far)
    return total


@compiled_as_written
def _slopes_across(low: _Floats, high: _Floats, between_both: np.float32, slopes: _Floats) -> None:
    """(Z,) differences of two lines over so many steps, into `slopes`."""
    for z in range(len(slopes)):
        slopes[z] = (high[z] - low[z]) / between_both


@compiled_as_written
def _slopes_along(line: _Floats, slopes: _Floats) -> None:
    """(Z,) derivative of a line along itself, one-sided at its ends, into `slopes`."""
    size = len(line)
    if size == 1:
        slopes[0] = np.float32(0)
        return
    slopes[0] = line[1] - line[0]
    low, high, inner = line[: size - 2], line[2:], slopes[1 : size - 1]
    for z in range(size - 2):
        inner[z] = (high[z] - low[z]) / np.float32(2)
    slopes[size - 1] = line[size - 1] - line[size - 2]


@compiled_as_written
def _turned(slopes: _Floats, to_index: _Floats, own: np.float32, n: int, result: _Floats) -> None:
    """(Z,) derivatives along an axis in mm, from those (3, Z) along voxels; `own` is added."""
    along_x, along_y, along_z = slopes[0], slopes[1], slopes[2]
    a, b, c = to_index[0, n], to_index[1, n], to_index[2, n]
    for z in range(len(result)):
        result[z] = (along_x[z] * a + along_y[z] * b + along_z[z] * c) + own


@compiled_as_written
def _determinants(j: _Floats, scale: np.float32, result: _Floats) -> None:
    """(Z,) determinants of (3, 3, Z) matrices times a factor, into `result`."""
    a, b, c = j[0, 0], j[0, 1], j[0, 2]
    d, e, f = j[1, 0], j[1, 1], j[1, 2]
    g, h, i = j[2, 0], j[2, 1], j[2, 2]
    for z in range(len(result)):
        result[z] = scale * (
            a[z] * (e[z] * i[z] - f[z] * h[z])
            - b[z] * (d[z] * i[z] - f[z] * g[z])
            + c[z] * (d[z] * h[z] - e[z] * g[z])
        )


@compiled_as_written
def determinant_share(
    share: tuple[int, int],
    dense_mm: _Floats,
    to_index: _Floats,
    scale: np.float32,
    result: _Floats,
) -> None:
    """Determinant of `scale * (I + du/dx)` at the voxels of some planes, in place.

    Args:
        share: First plane, and that after the last one.
        dense_mm: (3, X, Y, Z) `u`.
        to_index: (3, 3) from mm to voxels.
        scale: Factor of the determinant.
        result: (X, Y, Z).
    """
    _, nx, ny, nz = dense_mm.shape
    slopes, j = np.empty((3, nz), np.float32), np.empty((3, 3, nz), np.float32)
    for x in range(share[0], share[1]):
        x_low, x_high = max(x - 1, 0), min(x + 1, nx - 1)
        by_x = np.float32(max(x_high - x_low, 1))
        for y in range(ny):
            y_low, y_high = max(y - 1, 0), min(y + 1, ny - 1)
            by_y = np.float32(max(y_high - y_low, 1))
            for k in range(3):
                u = dense_mm[k]
                _slopes_across(u[x_low, y], u[x_high, y], by_x, slopes[0])
                _slopes_across(u[x, y_low], u[x, y_high], by_y, slopes[1])
                _slopes_along(u[x, y], slopes[2])
                for n in range(3):
                    _turned(slopes, to_index, np.float32(1 if k == n else 0), n, j[k, n])
            _determinants(j, scale, result[x, y])


@compiled_as_written
def points_share(share: tuple[int, int], field: _Floats, index: _Doubles, values: _Doubles) -> None:
    """Interpolate a field linearly at some places, constant beyond its outer nodes, in place.

    Args:
        share: First place, and that after the last one.
        field: (3, X, Y, Z).
        index: (N, 3) places in voxels of the field.
        values: (N, 3).
    """
    low, far = np.empty(3, np.int64), np.empty(3)
    for n in range(share[0], share[1]):
        for axis in range(3):
            last = field.shape[axis + 1] - 1
            inside = min(max(index[n, axis], 0.0), float(last))
            low[axis] = min(int(inside), max(last - 1, 0))
            far[axis] = inside - low[axis]
            values[n, axis] = 0.0
        for corner in range(8):
            i, j, k = corner >> 2, (corner >> 1) & 1, corner & 1
            weight = (far[0] if i else 1 - far[0]) * (far[1] if j else 1 - far[1])
            weight *= far[2] if k else 1 - far[2]
            x = min(low[0] + i, field.shape[1] - 1)
            y = min(low[1] + j, field.shape[2] - 1)
            z = min(low[2] + k, field.shape[3] - 1)
            for axis in range(3):
                values[n, axis] += weight * field[axis, x, y, z]
