"""Smooth vector fields: cubic B-splines on a coarse lattice, exact between its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.slabs import slabs

Float32 = NDArray[np.float32]

_PAD = 2
_SLAB_VOXELS = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SplineField:
    """A displacement in mm, twice continuously differentiable, known in closed form everywhere."""

    lattice: Grid
    """Nodes of the spline, parallel to the axes of the grid that it was laid over."""
    coefficients: Float32
    """(3, A, B, C) RAS components in mm of the cubic B-spline at each node."""

    @classmethod
    def through(cls, values_mm: FloatArray, lattice: Grid) -> SplineField:
        """The spline that takes given values (3, A, B, C) at the nodes of `lattice`."""
        filtered = [ndimage.spline_filter(v, order=3, mode="mirror") for v in values_mm]
        return cls(lattice=lattice, coefficients=np.asarray(filtered, dtype=np.float32))

    def at(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """Displacement (N, 3) in mm at points (N, 3) in RAS mm."""
        nodes = self.lattice.to_voxel(points_ras).T
        parts = [
            ndimage.map_coordinates(
                c, nodes, output=np.float64, order=3, mode="mirror", prefilter=False
            )
            for c in self.coefficients
        ]
        return np.stack(parts, axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldSlab:
    """A field on some planes of a grid."""

    planes: slice
    """Indices of the grid's last axis."""
    displacement_mm: Float32
    """(3, X, Y, planes) RAS components in mm."""
    jacobian: Float32
    """(X, Y, planes) determinant of the derivative of x + displacement, without unit."""


def lattice_over(grid: Grid, node_mm: float) -> Grid:
    """A lattice with nodes about `node_mm` apart, along the axes of `grid` and beyond its box."""
    step = np.maximum(node_mm / grid.spacing_mm, 1e-6)
    inner = np.ceil((np.array(grid.shape) - 1) / step).astype(int)
    counts = inner + 1 + 2 * _PAD
    index = np.diag([*step, 1.0])
    index[:3, 3] = -_PAD * step
    shape = (int(counts[0]), int(counts[1]), int(counts[2]))
    return Grid(shape=shape, affine=grid.affine @ index)


def field_slabs(field: SplineField, grid: Grid) -> Iterator[FieldSlab]:
    """Evaluate a field on every voxel of a grid, some planes at a time.

    Args:
        field: Its lattice has axes parallel to those of `grid` (`lattice_over`).
        grid: Where to evaluate.
    """
    to_node = np.linalg.inv(field.lattice.affine) @ grid.affine
    nodes = [np.arange(n) * to_node[a, a] + to_node[a, 3] for a, n in enumerate(grid.shape)]
    first, rates = _taps(nodes[0], to_node[0, 0])
    second, slopes = _taps(nodes[1], to_node[1, 1])
    starts_0, starts_1 = first[0], second[0]
    along_0 = _contract(field.coefficients, starts_0, first[1], axis=1)
    flat = _contract(along_0, starts_1, second[1], axis=2)
    by_1 = _contract(along_0, starts_1, slopes, axis=2)
    rate_0 = _contract(field.coefficients, starts_0, rates, axis=1)
    by_0 = _contract(rate_0, starts_1, second[1], axis=2)
    to_index = np.linalg.inv(grid.affine[:3, :3]).astype(np.float32)
    for planes in plane_slabs(grid):
        third, bends = _taps(nodes[2][planes], to_node[2, 2])
        derivative = [
            _contract(by_0, *third, axis=3),
            _contract(by_1, *third, axis=3),
            _contract(flat, third[0], bends, axis=3),
        ]
        yield FieldSlab(
            planes=planes,
            displacement_mm=_contract(flat, *third, axis=3),
            jacobian=_determinant(derivative, to_index),
        )


def plane_slabs(grid: Grid) -> list[slice]:
    """Slabs along the last axis of a grid, of about a million voxels each."""
    return [slice(*ends) for ends in slabs(grid.shape[::-1], _SLAB_VOXELS)]


def world_axes(grid: Grid, planes: slice) -> tuple[Float32, Float32, Float32]:
    """RAS coordinates in mm of the voxels of some planes, three arrays (X, Y, planes)."""
    i, j, k = (np.arange(n, dtype=np.float64) for n in grid.shape)
    k = k[planes]
    m = grid.affine
    x, y, z = (
        (m[r, 0] * i[:, None, None] + m[r, 1] * j[:, None] + (m[r, 2] * k + m[r, 3])).astype(
            np.float32
        )
        for r in range(3)
    )
    return x, y, z


def _taps(nodes: FloatArray, rate: float) -> tuple[tuple[NDArray[np.intp], Float32], Float32]:
    """First of four nodes, their weights (n, 4), and the derivatives of these by voxel index."""
    start = np.floor(nodes).astype(np.intp) - 1
    f = nodes - np.floor(nodes)
    g = 1 - f
    weights = np.stack([g**3, 4 - 6 * f**2 + 3 * f**3, 4 - 6 * g**2 + 3 * g**3, f**3], 1) / 6
    slopes = np.stack([-(g**2), 3 * f**2 - 4 * f, 4 * g - 3 * g**2, f**2], 1) / 2 * rate
    return (start, weights.astype(np.float32)), slopes.astype(np.float32)


def _contract(values: Float32, start: NDArray[np.intp], weights: Float32, *, axis: int) -> Float32:
    """Replace the nodes along one axis by weighted sums of four."""
    # Plain sums, not a matrix product: the bytes must not depend on the number of threads.
    form = [1] * values.ndim
    form[axis] = len(start)
    total = np.take(values, start, axis=axis) * weights[:, 0].reshape(form)
    for tap in range(1, 4):
        total += np.take(values, start + tap, axis=axis) * weights[:, tap].reshape(form)
    return np.asarray(total)


def _determinant(derivative: list[Float32], to_index: Float32) -> Float32:
    """det(I + du/dx) from the derivatives of u along the three index axes, each (3, X, Y, Z)."""
    rows = [
        [
            sum((derivative[a][r] * to_index[a, c] for a in range(3)), np.float32(r == c))
            for c in range(3)
        ]
        for r in range(3)
    ]
    (a, b, c), (d, e, f), (g, h, i) = rows
    return np.asarray(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
