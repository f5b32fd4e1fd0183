"""A scan without lungs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.spatial.geometry import Grid

_FAT_MM = 18.0


def abdomen(rng: np.random.Generator, grid: Grid) -> NDArray[np.float32]:
    """(X, Y, Z) HU of an abdomen: skin, fat, muscle, organs, a spine, some gas in the bowel."""
    index = np.indices(grid.shape, dtype=np.float32).reshape(3, -1).T
    offset = grid.to_world(index) - grid.centre_ras
    half = np.abs(grid.directions) @ (np.array(grid.shape) * grid.spacing_mm / 2)
    x, y, z = offset.T
    radius = np.hypot(x / (0.88 * half[0]), y / (0.82 * half[1]))
    depth = (1 - radius) * 0.85 * half[1]
    hu = np.where(depth > 0, -100.0, -1000.0)
    hu = np.where(depth > _FAT_MM, 50.0, hu)
    for _ in range(14):
        centre = rng.uniform(-0.55, 0.55, 3) * half
        size = rng.uniform(15, 55, 3)
        organ = (((offset - centre) / size) ** 2).sum(axis=1) < 1
        hu[organ & (depth > _FAT_MM + 6)] = rng.uniform(-80, 110)
    for _ in range(6):
        centre = rng.uniform(-0.4, 0.4, 3) * half
        gas = (((offset - centre) / rng.uniform(5, 16, 3)) ** 2).sum(axis=1) < 1
        hu[gas & (depth > _FAT_MM + 6)] = -950.0
    spine = np.hypot(x, y + 0.5 * half[1]) < 20 + 2 * np.sin(z / 5)
    hu[spine] = 250.0
    values = ndimage.gaussian_filter(hu.reshape(grid.shape), 0.7)
    noise = 20 * rng.standard_normal(grid.shape)
    return np.asarray(np.rint(values + noise).clip(-1024, 3071), dtype=np.float32)
