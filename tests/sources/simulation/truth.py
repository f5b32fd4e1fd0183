"""What a simulated pair must keep, computed from the pair alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation import SimulatedPair
from lungreg.spatial.geometry import Grid


def moved_voxels(pair: SimulatedPair) -> NDArray[np.float64]:
    """(3, X, Y, Z) voxel coordinates in the moving scan of each fixed voxel's tissue."""
    grid = pair.fixed_grid
    points = grid.to_world(np.indices(grid.shape, dtype=float).reshape(3, -1).T)
    moved = pair.moving_grid.to_voxel(points + pair.displacement_mm.reshape(3, -1).T)
    return moved.T.reshape(3, *grid.shape)


def warped_moving_mask(pair: SimulatedPair) -> NDArray[np.bool_]:
    """The moving mask carried onto the fixed grid by the true displacement."""
    lung = (pair.moving_mask > 0).astype(np.float32)
    return np.asarray(ndimage.map_coordinates(lung, moved_voxels(pair), order=1) > 0.5)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Overlap of two masks."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def jacobian(displacement_mm: NDArray[np.float32], grid: Grid) -> NDArray[np.float64]:
    """Determinant of the derivative of x + u(x) by central differences on any grid."""
    by_index = np.stack([np.stack(np.gradient(u), axis=-1) for u in displacement_mm], axis=-2)
    by_mm = by_index @ np.linalg.inv(grid.affine[:3, :3])
    return np.asarray(np.linalg.det(np.eye(3) + by_mm))


def lung_mass_g(scan: NDArray[np.int16], mask: NDArray[np.integer], grid: Grid) -> float:
    """Mass of the lungs, tissue having HU + 1000 mg per cubic cm."""
    return float((scan[mask > 0] + 1000.0).sum() * grid.voxel_volume_mm3 * 1e-6)
