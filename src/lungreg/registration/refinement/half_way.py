"""Meet half-way between a transform and the inverse of the way back.

Each way looks at one scan on its own grid and at the other between its voxels, so that they err
differently; their mean errs less than either.
"""

from __future__ import annotations

import numpy as np

from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Grid, Transform, apply_affine

_APART_MM = 3.0
"""Difference of both ways that counts half: beyond, one of them found other tissue."""


def half_way(there: Transform, back: Transform, moving: Grid) -> Transform:
    """The mean of `T` and the inverse of the way back `B`, to first order in their difference.

    Since `B(T(x)) = x + r`, the inverse of `B` at `x` is `T(x - r)`, and the mean `T(x - r/2)`.

    Args:
        there: `T`, from the fixed to the moving scan.
        back: `B`, from the moving to the fixed scan.
        moving: Grid of the moving scan, beyond which nothing is known of `B`.

    Returns:
        The mean at the nodes of `T`, with its affine.
    """
    nodes = there.grid.to_world(np.indices(there.grid.shape, dtype=np.float64).reshape(3, -1).T)
    moved = transform_points(there, nodes)
    apart = transform_points(back, moved) - nodes
    apart /= 1 + (apart**2).sum(axis=1, keepdims=True) / _APART_MM**2
    apart[~moving.contains(moved)] = 0
    mean = transform_points(there, nodes - apart / 2)
    left = apply_affine(np.linalg.inv(there.affine), mean) - nodes
    displacement = np.ascontiguousarray(left.T.reshape(3, *there.grid.shape), dtype=np.float32)
    return Transform(affine=there.affine, displacement_mm=displacement, grid=there.grid)
