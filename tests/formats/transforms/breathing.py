"""A breath on awkward grids: an affine, a smooth displacement, scans of other sizes and axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.geometry import Grid, Transform
from tests.grids import oblique_grid, voxels

FIXED = oblique_grid((24, 20, 18), spacing_mm=(6.0, 5.0, 8.0), centre_ras=(10.0, -20.0, 300.0))
MOVING = oblique_grid(
    (22, 28, 26),
    spacing_mm=(8.0, 6.0, 5.0),
    angles_rad=(-0.3, 0.25, 0.1),
    axes=(2, 0, 1),
    signs=(1.0, -1.0, 1.0),
    centre_ras=(14.0, -16.0, 302.0),
)
FIELD = FIXED.resized((12, 13, 9))


def affine() -> NDArray[np.float64]:
    """(4, 4) a turn, a scale and a shift about the fixed scan's centre."""
    turn = np.array([[np.cos(0.1), -np.sin(0.1), 0], [np.sin(0.1), np.cos(0.1), 0], [0, 0, 1.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag([1.05, 0.95, 1.1]) @ turn
    centre = FIXED.centre_ras
    matrix[:3, 3] = centre + np.array([3.0, -5.0, 4.0]) - matrix[:3, :3] @ centre
    return matrix


def breath(grid: Grid = FIELD, *, size_mm: float = 8.0, down_mm: float = 0.0) -> Transform:
    """Waves of the world, and a diaphragm that goes down, more and more towards the feet.

    Args:
        grid: Where the displacement is given.
        size_mm: Height of the waves.
        down_mm: How far the lowest tissue goes down.
    """
    x, y, z = (grid.to_world(voxels(grid)) - FIXED.centre_ras).T
    waves = np.stack([np.sin(x / 30 + y / 90), np.cos(y / 30 - z / 40), np.sin(z / 35)]) * size_mm
    waves[2] -= down_mm / (1 + np.exp(z / 12))
    field = waves.reshape(3, *grid.shape).astype(np.float32)
    return Transform(affine=affine(), displacement_mm=field, grid=grid)


def scan(grid: Grid = MOVING) -> NDArray[np.float32]:
    """(X, Y, Z) Hounsfield units that vary slowly."""
    x, y, z = (grid.to_world(voxels(grid)) - FIXED.centre_ras).T / 25.0
    values = -500 + 300 * np.sin(x) * np.cos(y) + 200 * np.cos(z + 0.5)
    return np.asarray(values.reshape(grid.shape), dtype=np.float32)


def interior(grid: Grid, count: int, *, margin: float = 1.0) -> NDArray[np.float64]:
    """(N, 3) random points of a grid, RAS mm, away from its border by some voxels."""
    rng = np.random.default_rng(0)
    high = np.array(grid.shape) - 1 - margin
    return np.asarray(grid.to_world(rng.uniform(margin, high, size=(count, 3))))
