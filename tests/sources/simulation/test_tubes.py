"""Tubes drawn into voxels."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.sources.simulation.tubes import Tubes, draw_tubes, sweep
from tests.grids import oblique_grid


def test_tube_fills_the_volume_of_a_cylinder() -> None:
    """The share of voxels adds up to length times cross-section, within the rounded ends."""
    grid = oblique_grid((60, 60, 60), spacing_mm=(0.8, 0.9, 1.0))
    centre = grid.centre_ras
    half = np.array([0.0, 0.0, 20.0])
    line = np.stack([centre - half, centre + half])
    points, radii = sweep(line, np.array([5.0, 5.0]), 0.5)
    tube = Tubes(points_ras=points, radius_mm=radii, forks_ras=np.empty((0, 3)))
    volume = draw_tubes(tube, grid).sum() * grid.voxel_volume_mm3
    assert volume == pytest.approx(np.pi * 25 * 40 + 4 / 3 * np.pi * 125, rel=0.06)
