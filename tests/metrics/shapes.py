"""A turned, anisotropic grid and masks on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.geometry import Grid
from tests import grids

SHAPE = (20, 22, 24)
SPACING_MM = (1.0, 1.5, 2.5)


def oblique_grid(shape: tuple[int, int, int] = SHAPE) -> Grid:
    """An anisotropic grid that is turned about all three axes."""
    return grids.oblique_grid(shape, spacing_mm=SPACING_MM, signs=(1.0, 1.0, 1.0))


def ball(centre: tuple[float, float, float], radius_vox: float) -> NDArray[np.bool_]:
    """A ball of voxels on the test grid."""
    index = np.indices(SHAPE).reshape(3, -1).T - np.array(centre)
    return (np.linalg.norm(index, axis=1) <= radius_vox).reshape(SHAPE)


def block(*slices: slice) -> NDArray[np.bool_]:
    """A box of voxels on the test grid."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slices] = True
    return mask
