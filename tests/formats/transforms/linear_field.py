"""A displacement that is linear in world coordinates, so that its value is known anywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.grids import oblique_grid, voxels

GRID = oblique_grid((9, 8, 7), spacing_mm=(1.5, 2.5, 0.8), centre_ras=(40.0, -200.0, 77.0))
"""Turned about all three axes, left-handed, away from the origin."""
SLOPE = np.array([[0.05, 0.0, 0.02], [-0.03, 0.04, 0.0], [0.0, 0.01, -0.06]])
"""Derivative of the displacement by world coordinates."""
OFFSET_MM = np.array([3.0, -7.0, 11.0])


def linear_field() -> NDArray[np.float32]:
    """(3, X, Y, Z) on `GRID`, RAS mm: another in each component."""
    moved = GRID.to_world(voxels(GRID)) @ SLOPE + OFFSET_MM
    return moved.T.reshape(3, *GRID.shape).astype(np.float32)
