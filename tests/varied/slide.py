"""Sliding: the lungs move along the chest wall, which stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.spline import SplineField, field_slabs, lattice_over
from lungreg.spatial.displacement import jacobian_determinant
from lungreg.spatial.geometry import FloatArray, Grid
from tests.varied.scans import Scan

_NODE_MM = 2.0
"""Of the lattice; on voxels of 5 mm half as much again."""
_MARGIN_MM = 14.0
_HILUM_MM = (25.0, 60.0)
"""Near the roots of the lungs nothing slides; beyond the second length all of it does."""
_NORMAL_MM = (10.0, 30.0)
"""Motion across the wall is taken out up to the first depth, all of it allowed at the second."""
BEYOND_MM = (8.0, 13.0)
"""The motion is that of the lungs up to the first distance beyond them, nothing at the second."""
_BESIDE_MM = 3.0
_PULL_NODE_MM = 50.0
_LEAST_JACOBIAN = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class LatticeField:
    """A displacement by cubic splines on a fine lattice, nothing beyond it: known everywhere."""

    grid: Grid
    coefficients: NDArray[np.float32]
    """(3, A, B, C) RAS components in mm of the cubic B-spline at each node."""

    @classmethod
    def through(cls, values_mm: FloatArray, grid: Grid) -> LatticeField:
        """The spline that takes values (3, A, B, C) at the nodes."""
        parts = [ndimage.spline_filter(v, order=3, output=np.float32) for v in values_mm]
        return cls(grid=grid, coefficients=np.stack(parts))

    def at(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """Displacement (N, 3) in mm at points (N, 3) in RAS mm."""
        nodes = self.grid.to_voxel(points_ras).T
        found = [
            ndimage.map_coordinates(c, nodes, output=np.float64, order=3, prefilter=False)
            for c in self.coefficients
        ]
        return np.stack(found, axis=1)


def on_grid(field: SplineField, grid: Grid) -> NDArray[np.float32]:
    """(3, X, Y, Z) a spline's displacement on a grid whose axes are its lattice's."""
    return np.concatenate([slab.displacement_mm for slab in field_slabs(field, grid)], axis=3)


def draw_slide(rng: np.random.Generator, scan: Scan, most_mm: float) -> LatticeField:
    """Draw how far the lungs slide: up to `most_mm`, mostly along the body.

    At the wall they move along it, so that they stay within it. The motion goes on beyond the wall:
    it is smooth there, and a scan made by it must keep what is not lung. Where it would fold, in
    thin edges of the lungs, it is damped.
    """
    grid, inside = lattice_around(scan)
    depth, away = (
        ndimage.distance_transform_edt(where, sampling=grid.spacing_mm)
        for where in (inside, ~inside)
    )
    low, high = BEYOND_MM
    field = along_wall(_pull(rng, grid) * most_mm, depth, grid)
    field *= (1 - rise((away - low) / (high - low))) * _away_from_roots(inside, grid)
    near = away < _BESIDE_MM
    return LatticeField.through(_without_folds(field.astype(np.float32), near, grid), grid)


def lattice_around(scan: Scan) -> tuple[Grid, NDArray[np.bool_]]:
    """Nodes around the lungs, and which of them lie in the lungs."""
    voxels = np.argwhere(scan.mask > 0)
    margin = np.ceil(_MARGIN_MM / scan.grid.spacing_mm)
    low, high = voxels.min(axis=0) - margin, voxels.max(axis=0) + margin
    node_mm = np.clip(scan.grid.spacing_mm.min() - _NODE_MM, _NODE_MM, 1.5 * _NODE_MM)
    step = node_mm / scan.grid.spacing_mm
    nx, ny, nz = (int(n) for n in np.ceil((high - low) / step) + 1)
    index = np.diag([*step, 1.0])
    index[:3, 3] = low
    grid = Grid(shape=(nx, ny, nz), affine=scan.grid.affine @ index)
    smooth = ndimage.affine_transform(
        scan.mask.astype(np.float32), step, low, output_shape=grid.shape, order=1, mode="nearest"
    )
    return grid, smooth > 0.5


def _pull(rng: np.random.Generator, grid: Grid) -> NDArray[np.float32]:
    """A slowly varying direction, mostly along the body, about 1 in size."""
    main = rng.normal(0, 1, 3) * (0.35, 0.5, 1.0)
    main /= np.linalg.norm(main)
    lattice = lattice_over(grid, _PULL_NODE_MM)
    coarse = rng.normal(0, 0.8, (3, *lattice.shape)).astype(np.float32)
    varied = on_grid(SplineField(lattice=lattice, coefficients=coarse), grid)
    varied += main.astype(np.float32)[:, None, None, None]
    size = np.linalg.norm(varied, axis=0)
    return np.asarray(varied / np.maximum(size, 1.0))


def along_wall(
    field: NDArray[np.float32], depth: NDArray[np.float64], grid: Grid
) -> NDArray[np.float32]:
    """A field (3, X, Y, Z) without its part across the wall, near the wall.

    Args:
        field: RAS components on `grid`.
        depth: (X, Y, Z) mm below the surface of the lungs, 0 outside.
        grid: Of both.
    """
    smooth = ndimage.gaussian_filter(depth, 5.0 / grid.spacing_mm)
    by_index = np.stack(np.gradient(smooth, *grid.spacing_mm))
    normal = np.einsum("kl,lxyz->kxyz", grid.directions, by_index)
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 0.1)
    low, high = _NORMAL_MM
    share = 1 - rise((depth - low) / (high - low))
    return np.asarray(field - normal * (share * (field * normal).sum(axis=0)), dtype=np.float32)


def _away_from_roots(inside: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """0 in the middle between the lungs, 1 far from it."""
    voxels = np.argwhere(inside[::2, ::2, ::2]) * 2.0
    middle = grid.to_world(voxels.mean(axis=0, keepdims=True))[0]
    index = np.indices(grid.shape, dtype=np.float32).reshape(3, -1).T
    gap = np.linalg.norm((grid.to_world(index) - middle) * (1.0, 0.8, 0.6), axis=1)
    low, high = _HILUM_MM
    return rise((gap.reshape(grid.shape) - low) / (high - low))


def _without_folds(
    field: NDArray[np.float32], where: NDArray[np.bool_], grid: Grid
) -> NDArray[np.float32]:
    """Damp a field where it folds at places that count, smoothly."""
    for _ in range(6):
        jacobian = jacobian_determinant(np.eye(4), field, grid)
        bad = ((jacobian < _LEAST_JACOBIAN) | (jacobian > 2.5)) & where
        if not bad.any():
            break
        near = ndimage.gaussian_filter(bad.astype(np.float32), 6.0 / grid.spacing_mm)
        near = np.minimum(1.0, near / max(float(near[bad].min()), 1e-6))
        field = field * (1 - np.float32(0.4) * near)
    return field


def rise(t: FloatArray) -> NDArray[np.float64]:
    """0 up to 0, then smoothly up to 1 at 1."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
