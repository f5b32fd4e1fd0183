"""Inversion for the points of a share, as numba compiles it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled, compiled_as_written, inlined
from lungreg.spatial.kernel import between, linear

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]
_SMALLEST_DETERMINANT = np.float32(1e-2)


@inlined
def _cell(index: np.float32, size: int) -> tuple[int, np.float32, int, np.float32]:
    """Along an axis: the node below, the share of the next one, the step to it, 1 if inside."""
    last = np.float32(size - 1)
    inside = min(max(index, np.float32(0)), last)
    low = min(int(inside), max(size - 2, 0))
    free = np.float32(1) if inside == index else np.float32(0)
    return low, inside - np.float32(low), min(1, size - 1), free


@inlined
def _evaluate(
    rows: _Floats, shape: tuple[int, int, int], index: _Floats, value: _Floats, jacobian: _Floats
) -> None:
    """`u` (3,) at an index, constant beyond the outer nodes, and `d(i + u)/di` (3, 3)."""
    x, u, far, free_x = _cell(index[0], shape[0])
    y, v, up, free_y = _cell(index[1], shape[1])
    z, w, on, free_z = _cell(index[2], shape[2])
    base = (x * shape[1] + y) * shape[2] + z
    far, up = far * shape[1] * shape[2], up * shape[2]
    for k in range(3):
        a, b = rows[base, k], rows[base + on, k]
        c, d = rows[base + up, k], rows[base + up + on, k]
        e, f = rows[base + far, k], rows[base + far + on, k]
        g, h = rows[base + far + up, k], rows[base + far + up + on, k]
        near_low, near_high = a + w * (b - a), c + w * (d - c)
        far_low, far_high = e + w * (f - e), g + w * (h - g)
        near = near_low + v * (near_high - near_low)
        away = far_low + v * (far_high - far_low)
        near_z, far_z = b - a + v * (d - c - b + a), f - e + v * (h - g - f + e)
        near_y, far_y = near_high - near_low, far_high - far_low
        value[k] = near + u * (away - near)
        jacobian[k, 0] = (away - near) * free_x
        jacobian[k, 1] = (near_y + u * (far_y - near_y)) * free_y
        jacobian[k, 2] = (near_z + u * (far_z - near_z)) * free_z
        jacobian[k, k] += np.float32(1)


@inlined
def _step(jacobian: _Floats, gap: _Floats, step: _Floats) -> None:
    """`-J^-1 gap`, or `-gap` where J folds or nearly so."""
    m = jacobian
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        # Row k of the adjugate: the cross product of the other two columns.
        step[k] = -(
            (m[1, i] * m[2, j] - m[2, i] * m[1, j]) * gap[0]
            + (m[2, i] * m[0, j] - m[0, i] * m[2, j]) * gap[1]
            + (m[0, i] * m[1, j] - m[1, i] * m[0, j]) * gap[2]
        )
    determinant = (
        m[0, 0] * (m[1, 1] * m[2, 2] - m[2, 1] * m[1, 2])
        - m[0, 1] * (m[1, 0] * m[2, 2] - m[2, 0] * m[1, 2])
        + m[0, 2] * (m[1, 0] * m[2, 1] - m[2, 0] * m[1, 1])
    )
    for k in range(3):
        step[k] = step[k] / determinant if determinant > _SMALLEST_DETERMINANT else -gap[k]


@inlined
def _length_mm(gap: _Floats, to_mm: _Floats) -> np.float32:
    total = np.float32(0)
    for k in range(3):
        along = to_mm[k, 0] * gap[0] + to_mm[k, 1] * gap[1] + to_mm[k, 2] * gap[2]
        total += along * along
    return np.float32(np.sqrt(total))


@compiled
def newton_share(
    share: tuple[int, int],
    field: tuple[_Floats, tuple[int, int, int], _Floats],
    targets: _Floats,
    tolerance: _Floats,
    limits: tuple[int, np.float32],
    index: _Floats,
    gap_mm: _Floats,
) -> None:
    """Solve `i + u(i) = z` for some points, in place.

    Args:
        share: Number of the first point, and that after the last one.
        field: (V, 3) displacement in voxels, its shape, and (3, 3) from voxels to mm.
        targets: (N, 3) `z`.
        tolerance: (N,) residual in mm that is small enough.
        limits: Most steps, and the share of a step below which a point is given up.
        index: (N, 3) first guess of `i`; the solution afterwards.
        gap_mm: (N,) the residual that is left.
    """
    rows, shape, to_mm = field
    tried, step = np.empty(3, np.float32), np.empty(3, np.float32)
    gap, tried_gap = np.empty(3, np.float32), np.empty(3, np.float32)
    jacobian, tried_jacobian = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    for point in range(share[0], share[1]):
        _evaluate(rows, shape, index[point], gap, jacobian)
        for k in range(3):
            gap[k] += index[point, k] - targets[point, k]
        left, part = _length_mm(gap, to_mm), np.float32(1)
        for _ in range(limits[0]):
            if left <= tolerance[point] or part <= limits[1]:
                break
            _step(jacobian, gap, step)
            for k in range(3):
                tried[k] = index[point, k] + part * step[k]
            _evaluate(rows, shape, tried, tried_gap, tried_jacobian)
            for k in range(3):
                tried_gap[k] += tried[k] - targets[point, k]
            found = _length_mm(tried_gap, to_mm)
            if found < left:
                left, part = found, min(np.float32(2) * part, np.float32(1))
                index[point], gap[:], jacobian[:] = tried, tried_gap, tried_jacobian
            else:
                part = part / np.float32(2)
        gap_mm[point] = left


@compiled_as_written
def guess_share(
    share: tuple[int, int],
    numbers: NDArray[np.int64],
    shape: tuple[int, int, int],
    within: _Doubles,
    to_field: _Doubles,
    known: tuple[_Floats, _Doubles],
    targets: _Floats,
    moved: _Floats,
) -> None:
    """Where some voxels of a grid lie in a field's index, and how far a known inverse moves them.

    Args:
        share: Number of the first voxel, and that after the last one.
        numbers: (N,) flat indices of the voxels, ascending.
        shape: Of their grid.
        within: (3,) factors that shift each voxel's point by up to half a voxel; 0 for its centre.
        to_field: (4, 4) from the grid's voxels to the field's.
        known: (3, U, V, W) displacement of the known inverse, and (4, 4) from the grid's voxels to
            its own.
        targets: (N, 3) where they lie, in place.
        moved: (N, 3) the known displacement there, in place.
    """
    values, to_known = known
    _, nx, ny, nz = values.shape
    voxel, place = np.empty(3, np.float64), np.empty(3, np.float32)
    x, y, z, last = 0, 0, 0, -2
    for point in range(share[0], share[1]):
        number = numbers[point]
        z += 1
        if number != last + 1 or z == shape[2]:
            x, rest = divmod(number, shape[1] * shape[2])
            y, z = divmod(rest, shape[2])
        last = number
        voxel[0], voxel[1], voxel[2] = x, y, z
        for k in range(3):
            if within[k] > 0:
                voxel[k] += number * within[k] % 1 - 0.5
        for k in range(3):
            row, other = to_field[k], to_known[k]
            targets[point, k] = row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3]
            place[k] = other[0] * voxel[0] + other[1] * voxel[1] + other[2] * voxel[2] + other[3]
        on_x, on_y, on_z = between(place[0], nx), between(place[1], ny), between(place[2], nz)
        moved[point, 0] = linear(values[0], on_x, on_y, on_z)
        moved[point, 1] = linear(values[1], on_x, on_y, on_z)
        moved[point, 2] = linear(values[2], on_x, on_y, on_z)


@compiled
def residual_share(
    share: tuple[int, int],
    field: tuple[_Floats, tuple[int, int, int], _Floats],
    targets: _Floats,
    moved: _Floats,
    gap_mm: _Floats,
) -> None:
    """`|m + u(z + m)|` in mm for some points, in place; not a number outside the field's box.

    Args:
        share: Number of the first point, and that after the last one.
        field: (V, 3) displacement in voxels, its shape, and (3, 3) from voxels to mm.
        targets: (N, 3) `z`.
        moved: (N, 3) `m`.
        gap_mm: (N,) the residual.
    """
    rows, shape, to_mm = field
    index, gap = np.empty(3, np.float32), np.empty(3, np.float32)
    jacobian = np.empty((3, 3), np.float32)
    for point in range(share[0], share[1]):
        lands = True
        for k in range(3):
            index[k] = targets[point, k] + moved[point, k]
            lands &= -0.5 <= index[k] <= shape[k] - 0.5
        if not lands:
            gap_mm[point] = np.nan
            continue
        _evaluate(rows, shape, index, gap, jacobian)
        for k in range(3):
            gap[k] += moved[point, k]
        gap_mm[point] = _length_mm(gap, to_mm)


@compiled
def balanced_share(first: int, last: int, values: _Floats, balanced: _Floats) -> None:
    """Values (3, X, Y, Z) less a sixteenth of their second differences, for some planes."""
    _, nx, ny, nz = values.shape
    part = np.float32(1 / 16)
    for k in range(3):
        v = values[k]
        for x in range(first, last):
            for y in range(ny):
                for z in range(nz):
                    here = v[x, y, z]
                    found = here
                    if 0 < x < nx - 1:
                        found -= ((v[x + 1, y, z] - here) - (here - v[x - 1, y, z])) * part
                    if 0 < y < ny - 1:
                        found -= ((v[x, y + 1, z] - here) - (here - v[x, y - 1, z])) * part
                    if 0 < z < nz - 1:
                        found -= ((v[x, y, z + 1] - here) - (here - v[x, y, z - 1])) * part
                    balanced[k, x, y, z] = found
