"""Smooth the sharp bends of an optimised displacement, and interpolate it by cubic splines.

The inverse of a displacement that is linear between coarse nodes has kinks between the nodes of any
grid that it could be stored on; a field that bends gently can be inverted on a grid of its size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.sparse import csr_array

from lungreg.registration.refinement.features import mean_of_three
from lungreg.spatial.geometry import Grid, Transform
from lungreg.spatial.neighbours import dilated

_SHARPEST_MM = 1.2
"""Second difference between nodes, of the map or of its inverse."""
_PRESSED = 0.5
_SMALLEST = 0.1
_PASSES = 20
_NEGLIGIBLE = 1e-7
"""Weight of a node, as small as what float32 rounds."""


def polished(transform: Transform) -> Transform:
    """Smooth the sharpest bends, then halve the spacing of the nodes with cubic splines."""
    displacement = transform.displacement_mm
    for _ in range(_PASSES):
        bend_mm = _bend_mm(displacement) * _amplification(displacement, transform.grid)
        sharp = bend_mm > _SHARPEST_MM
        if not sharp.any():
            break
        share = _mean_of_three(dilated(sharp).astype(np.float32)[None])
        displacement = displacement + share * (_mean_of_three(displacement) - displacement)
    return _twice_as_fine(displacement, transform)


def _mean_of_three(volumes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Volumes (C, X, Y, Z): means of neighbours along each axis."""
    return mean_of_three(torch.from_numpy(volumes)[None])[0].numpy()


def _bend_mm(displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """(X, Y, Z) the largest second difference along an axis, mm."""
    bend = np.zeros(displacement.shape[1:], dtype=np.float32)
    for axis in range(3):
        if displacement.shape[axis + 1] < 3:
            continue
        size = np.sqrt(np.square(np.diff(displacement, n=2, axis=axis + 1)).sum(axis=0))
        inner = np.moveaxis(bend, axis, 0)[1:-1]
        np.maximum(inner, np.moveaxis(size, axis, 0), out=inner)
    return bend


def _amplification(displacement: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """(X, Y, Z) how much sharper a bend is in the inverse where tissue is pressed to half; else 1.

    By the chain rule, the second derivative of the inverse is that of the map, once through the
    inverse Jacobian for itself and once for each of the two directions.
    """
    if min(grid.shape) < 2:
        return np.ones(grid.shape, dtype=np.float32)
    from_mm = np.linalg.inv(grid.affine[:3, :3]).astype(np.float32)
    smallest = np.sqrt(np.maximum(smallest_eigenvalue(_stretch(displacement, from_mm)), 0))
    return np.where(smallest < _PRESSED, np.maximum(smallest, _SMALLEST) ** -3, 1)


def _stretch(displacement: NDArray[np.float32], from_mm: NDArray[np.float32]) -> Symmetric:
    """The products of the Jacobian's rows, component by component: far faster than by matrices."""
    slopes = [[np.gradient(part, axis=axis) for axis in range(3)] for part in displacement]
    rows = [
        [
            sum(along[k] * from_mm[k, axis] for k in range(3) if from_mm[k, axis])
            for axis in range(3)
        ]
        for along in slopes
    ]
    for axis in range(3):
        rows[axis][axis] += np.float32(1)

    def product(one: int, other: int) -> NDArray[np.float32]:
        return np.asarray(sum(a * b for a, b in zip(rows[one], rows[other], strict=True)))

    return Symmetric(*(product(*pair) for pair in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))))


class Symmetric(NamedTuple):
    """Symmetric matrices of three rows, by their components."""

    xx: NDArray[np.float32]
    xy: NDArray[np.float32]
    xz: NDArray[np.float32]
    yy: NDArray[np.float32]
    yz: NDArray[np.float32]
    zz: NDArray[np.float32]


def smallest_eigenvalue(matrices: Symmetric) -> NDArray[np.float32]:
    """In closed form (Smith 1961, CACM 4(4):168)."""
    mean = (matrices.xx + matrices.yy + matrices.zz) / 3
    a, d, f = matrices.xx - mean, matrices.yy - mean, matrices.zz - mean
    b, c, e = matrices.xy, matrices.xz, matrices.yz
    radius = np.sqrt((a * a + d * d + f * f + 2 * (b * b + c * c + e * e)) / 6)
    safe = np.maximum(radius, np.float32(1e-12))
    determinant = a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d)
    angle = np.arccos(np.clip(determinant / (2 * safe**3), -1, 1)) / 3
    return np.asarray(mean + 2 * radius * np.cos(angle + 2 * np.pi / 3))


def _twice_as_fine(displacement: NDArray[np.float32], transform: Transform) -> Transform:
    fine = displacement
    for axis in (1, 2, 3):
        lines = np.ascontiguousarray(np.moveaxis(fine, axis, 0))
        finer = np.empty((2 * len(lines) - 1, *lines.shape[1:]), dtype=np.float32)
        finer[::2] = lines
        between = _between(len(lines)) @ lines.reshape(len(lines), -1)
        finer[1::2] = between.reshape(-1, *lines.shape[1:])
        fine = np.moveaxis(finer, 0, axis)
    _, nx, ny, nz = fine.shape
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    return Transform(
        affine=transform.affine,
        displacement_mm=np.ascontiguousarray(fine),
        grid=Grid(shape=(nx, ny, nz), affine=transform.grid.affine @ half),
    )


def _between(nodes: int) -> csr_array:
    """(n - 1, n) weights of the interpolating spline half-way between nodes.

    Sparse, since they fall to a quarter from node to node; and so not by BLAS, whose sums depend on
    how many threads it has.
    """
    places, degree = np.arange(nodes - 1) + 0.5, min(3, nodes - 1)
    weights = make_interp_spline(np.arange(nodes), np.eye(nodes), k=degree)(places)
    weights[np.abs(weights) < _NEGLIGIBLE] = 0
    return csr_array(weights.astype(np.float32))
