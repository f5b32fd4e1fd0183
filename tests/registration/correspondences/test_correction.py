"""The smooth correction: constant steps come back, odd ones are left out."""

from __future__ import annotations

import numpy as np

from lungreg.registration.correspondences.correction import agreeing, corrected
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Grid, Transform

GRID = Grid(shape=(30, 28, 26), affine=np.diag([3.0, 3.0, 3.0, 1.0]))
PLACES = np.random.default_rng(0).uniform(10, 70, (200, 3))


def transform() -> Transform:
    """A turn with a displacement that grows along x."""
    affine = np.eye(4)
    affine[:2, :2] = [[0.96, -0.28], [0.28, 0.96]]
    affine[:3, 3] = (5, -7, 9)
    field = np.zeros((3, 12, 12, 12), dtype=np.float32)
    field[0] = 0.3 * np.arange(12)[:, None, None]
    return Transform(affine=affine, displacement_mm=field, grid=GRID.resized((12, 12, 12)))


def test_a_constant_step_moves_where_the_transform_is_read() -> None:
    """`T(x + c)` exactly, at the places and elsewhere."""
    step = np.array([2.0, -3.0, 1.0])
    found = corrected(transform(), PLACES, np.tile(step, (200, 1)), GRID)
    points = np.random.default_rng(1).uniform(15, 60, (50, 3))
    expected = transform_points(transform(), points + step)
    np.testing.assert_allclose(transform_points(found, points), expected, atol=0.02)


def test_steps_are_averaged_nearby() -> None:
    """Left and right halves with other steps: each half gets its own."""
    steps = np.where(PLACES[:, :1] < 40, 4.0, -4.0) * np.array([[0.0, 1.0, 0.0]])
    still = Transform(
        affine=np.eye(4),
        displacement_mm=np.zeros((3, 2, 2, 2), np.float32),
        grid=GRID.resized((2, 2, 2)),
    )
    found = corrected(still, PLACES, steps, GRID)
    points = np.array([[12.0, 40.0, 40.0], [68.0, 40.0, 40.0]])
    moved = transform_points(found, points) - points
    assert moved[0, 1] > 3.3
    assert moved[1, 1] < -3.3


def test_a_step_unlike_its_neighbours_does_not_agree() -> None:
    """The one that was changed, and none else."""
    steps = np.tile([1.0, 2.0, 3.0], (200, 1))
    steps[17] += (0, 9, 0)
    expected = np.ones(200, dtype=bool)
    expected[17] = False
    np.testing.assert_array_equal(agreeing(PLACES, steps), expected)
    assert not agreeing(PLACES[:1], steps[:1]).any()
