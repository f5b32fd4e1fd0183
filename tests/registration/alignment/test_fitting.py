"""Rigid and affine steps find a known affine between two views of one smooth function."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lungreg.registration.alignment.coarse import coarse
from lungreg.registration.alignment.fitting import fit
from lungreg.registration.alignment.level import densities, make_level
from lungreg.registration.alignment.scan import make_scan
from lungreg.spatial.geometry import Grid, apply_affine
from tests.registration.alignment.chests import oblique_grid

BLOBS = np.random.default_rng(3).uniform(-80, 80, (12, 3))


def view(grid, to_blobs):
    """Scan of the blobs on a grid whose world is carried to theirs."""
    index = np.indices(grid.shape).reshape(3, -1).T.astype(float)
    places = apply_affine(to_blobs, grid.to_world(index))
    squared = ((places[:, None] - BLOBS) ** 2).sum(axis=2)
    image = np.exp(-squared / (2 * 25.0**2)).sum(axis=1)
    return coarse(make_scan((image / 3).reshape(grid.shape).astype(np.float32), grid, None), 8.0)


def level_of(truth):
    """Both views: the truth carries the fixed world to the moving one."""
    fixed = oblique_grid()
    to_blobs = np.eye(4)
    to_blobs[:3, 3] = -fixed.centre_ras
    moving = Grid(shape=(70, 70, 70), affine=np.diag([-5.0, 4.0, 5.0, 1.0]))
    shift = np.eye(4)
    shift[:3, 3] = fixed.centre_ras - moving.centre_ras
    moving = Grid(shape=moving.shape, affine=shift @ moving.affine)
    back = to_blobs @ np.linalg.inv(truth)
    return make_level(view(fixed, to_blobs), view(moving, back), 12.0, densities)


def about_the_middle(linear, shift_mm):
    """An affine about the middle of the fixed scan."""
    middle, affine = oblique_grid().centre_ras, np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = middle + shift_mm - linear @ middle
    return affine


def furthest_mm(first, second):
    """Largest distance between two affines near the blobs."""
    points = BLOBS + oblique_grid().centre_ras
    return np.linalg.norm(apply_affine(first, points) - apply_affine(second, points), axis=1).max()


TURN = Rotation.from_rotvec([12, -14, 10], degrees=True).as_matrix()


def test_rigid() -> None:
    """A turn of 20 degrees and a shift of 20 mm are found, and the steps stay rigid."""
    truth = about_the_middle(TURN, [12.0, -10.0, 14.0])
    found = fit(level_of(truth), np.eye(4), rigid=12, affine=0, tolerance=0.2)
    assert furthest_mm(np.eye(4), truth) > 30.0
    assert furthest_mm(found, truth) < 2.0
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-4)


def test_affine() -> None:
    """A stretch along the axes and a shear are found as well, up to the prior against them."""
    stretch = np.array([[1.1, 0.05, 0.0], [0.0, 0.95, 0.0], [0.0, 0.04, 1.12]])
    truth = about_the_middle(TURN @ stretch, [5.0, 0.0, -6.0])
    found = fit(level_of(truth), np.eye(4), rigid=8, affine=10, tolerance=0.2)
    assert furthest_mm(found, truth) < 3.0


def test_nothing_to_do() -> None:
    """Where the scans lie on each other nothing moves."""
    found = fit(level_of(np.eye(4)), np.eye(4), rigid=2, affine=2, tolerance=0.2)
    assert furthest_mm(found, np.eye(4)) < 1.0


@pytest.mark.parametrize("away_mm", [600.0, 5000.0])
def test_no_overlap(away_mm: float) -> None:
    """Where the scans do not overlap the start comes back."""
    start = np.eye(4)
    start[0, 3] = away_mm
    found = fit(level_of(np.eye(4)), start, rigid=2, affine=2, tolerance=0.2)
    np.testing.assert_array_equal(found, start)
