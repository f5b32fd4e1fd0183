"""`newton` for the points of a share, as numba compiles it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled

_Floats = NDArray[np.float32]
_SMALLEST_DETERMINANT = np.float32(1e-2)


@compiled
def _evaluate(
    rows: _Floats, shape: tuple[int, int, int], index: _Floats, value: _Floats, jacobian: _Floats
) -> None:
    """`u` (3,) at an index, constant beyond the outer nodes, and `d(i + u)/di` (3, 3)."""
    share, low, step = np.empty(3, np.float32), np.empty(3, np.int64), np.empty(3, np.int64)
    free = np.empty(3, np.float32)
    for axis in range(3):
        last = np.float32(shape[axis] - 1)
        inside = min(max(index[axis], np.float32(0)), last)
        free[axis] = np.float32(1) if inside == index[axis] else np.float32(0)
        low[axis] = min(int(inside), max(shape[axis] - 2, 0))
        step[axis] = min(1, shape[axis] - 1)
        share[axis] = inside - np.float32(low[axis])
    u, v, w = share[0], share[1], share[2]
    base = (low[0] * shape[1] + low[1]) * shape[2] + low[2]
    far, up, on = step[0] * shape[1] * shape[2], step[1] * shape[2], step[2]
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
        jacobian[k, 0] = (away - near) * free[0]
        jacobian[k, 1] = (near_y + u * (far_y - near_y)) * free[1]
        jacobian[k, 2] = (near_z + u * (far_z - near_z)) * free[2]
        jacobian[k, k] += np.float32(1)


@compiled
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


@compiled
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
