"""A turned, anisotropic grid and masks on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.geometry import Grid

SHAPE = (20, 22, 24)
SPACING_MM = (1.0, 1.5, 2.5)


def oblique_grid(shape: tuple[int, int, int] = SHAPE) -> Grid:
    """An anisotropic grid that is turned about two axes."""
    a, b = np.deg2rad(25), np.deg2rad(-40)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag(SPACING_MM)
    affine[:3, 3] = (-30.0, 12.0, 200.0)
    return Grid(shape=shape, affine=affine)


def ball(centre: tuple[float, float, float], radius_vox: float) -> NDArray[np.bool_]:
    """A ball of voxels on the test grid."""
    index = np.indices(SHAPE).reshape(3, -1).T - np.array(centre)
    return (np.linalg.norm(index, axis=1) <= radius_vox).reshape(SHAPE)


def block(*slices: slice) -> NDArray[np.bool_]:
    """A box of voxels on the test grid."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slices] = True
    return mask
