"""Names of parts of the lungs, whatever way the voxel axes run."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.lung_regions import region_names
from lungreg.registration.lungs import ScanLungs
from lungreg.spatial.geometry import Grid, apply_affine
from tests.grids import oblique_grid

POINTS = np.array([[60.0, 0, 60], [60, 0, -60], [-60, 0, 60], [-60, 0, -60]])
NAMES = ["right upper", "right lower", "left upper", "left lower"]


@pytest.mark.parametrize(
    "grid",
    [
        oblique_grid((40, 30, 50), spacing_mm=(5, 5, 5), angles_rad=(0, 0, 0)),
        oblique_grid((50, 40, 30), spacing_mm=(5, 5, 5), axes=(2, 0, 1), signs=(-1.0, 1.0, -1.0)),
    ],
)
def test_sides_and_levels(grid: Grid) -> None:
    """Right is towards positive x, upper towards positive z in RAS."""
    whole = ScanLungs(inside=np.ones(grid.shape, dtype=bool), known_from="mask", grid=grid)
    assert list(region_names(POINTS + grid.centre_ras, whole)) == NAMES


def test_half_of_the_volume_is_upper() -> None:
    """The level is that of the volume, not of the height."""
    grid = Grid(shape=(40, 10, 40), affine=np.diag([5.0, 5, 5, 1]))
    inside = np.zeros(grid.shape, dtype=bool)
    inside[:, :, :10] = True
    inside[:, 4:6, 10:] = True
    lungs = ScanLungs(inside=inside, known_from="mask", grid=grid)
    voxels = np.argwhere(inside)
    names = region_names(apply_affine(grid.affine, voxels.astype(float)), lungs)
    upper = np.char.endswith(names, "upper").mean()
    assert 0.35 < upper <= 0.5
