"""Both ways meet in the middle."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.refinement.half_way import half_way
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Grid, Transform, apply_affine, cubic_grid

BOX = np.array([[-50.0, -40.0, -30.0], [50.0, 40.0, 30.0]])
TURNED = np.array(
    [[0.98, -0.17, 0.0, 4.0], [0.17, 0.98, 0.0, -3.0], [0.0, 0.0, 1.1, 9.0], [0.0, 0.0, 0.0, 1.0]]
)


def grid() -> Grid:
    """Nodes 4 mm apart."""
    return cubic_grid(BOX, np.eye(3), 4.0, margin_mm=0.0, anchor_ras=np.zeros(3), block=1)


def moved_by(shift_mm: tuple[float, float, float], affine: np.ndarray) -> Transform:
    """The affine after one shift."""
    nodes = grid()
    shift = np.broadcast_to(np.float32(shift_mm)[:, None, None, None], (3, *nodes.shape))
    return Transform(affine=affine, displacement_mm=np.ascontiguousarray(shift), grid=nodes)


def points() -> np.ndarray:
    """Well inside."""
    return np.random.default_rng(1).uniform(BOX[0] / 2, BOX[1] / 2, (200, 3))


def around(transform: Transform) -> Grid:
    """A moving scan that holds all that the transform reaches."""
    ends = transform_points(transform, grid().corners_ras())
    return cubic_grid(ends, np.eye(3), 4.0, margin_mm=40.0, anchor_ras=np.zeros(3), block=1)


def test_the_inverse_of_the_way_there_changes_nothing() -> None:
    """Where both ways agree, each is the mean."""
    there = moved_by((3.0, -2.0, 1.0), TURNED)
    back = Transform(
        affine=np.linalg.inv(TURNED),
        displacement_mm=np.zeros((3, 2, 2, 2), dtype=np.float32),
        grid=around(there).resized((2, 2, 2)),
    )
    # B(y) = A^-1 y - s, written with its shift before the affine.
    shift = TURNED[:3, :3] @ np.array([-3.0, 2.0, -1.0])
    back.displacement_mm[:] = shift[:, None, None, None]
    met = half_way(there, back, around(there))
    np.testing.assert_allclose(
        transform_points(met, points()), transform_points(there, points()), atol=1e-3
    )


@pytest.mark.parametrize("gap_mm", [0.4, -0.2])
def test_ways_that_differ_meet_in_the_middle(gap_mm: float) -> None:
    """A small difference is halved, in the moving scan's own directions."""
    there = moved_by((0.0, 0.0, 0.0), TURNED)
    back = moved_by((0.0, 0.0, 0.0), np.linalg.inv(TURNED))
    back.affine[0, 3] += gap_mm
    met = half_way(there, back, around(there))
    known = apply_affine(np.linalg.inv(back.affine), points())
    middle = (transform_points(there, points()) + known) / 2
    np.testing.assert_allclose(transform_points(met, points()), middle, atol=0.02 * abs(gap_mm))


def test_ways_far_apart_are_not_mixed() -> None:
    """30 mm apart, one of them found other tissue: the way there is kept within 0.2 mm."""
    there = moved_by((0.0, 0.0, 0.0), np.eye(4))
    back = moved_by((30.0, 0.0, 0.0), np.eye(4))
    met = half_way(there, back, around(there))
    far_mm = np.linalg.norm(transform_points(met, points()) - points(), axis=1)
    assert far_mm.max() < 0.2


def test_beyond_the_moving_scan_the_way_there_is_kept() -> None:
    """Nothing is known of the way back where there is no moving scan."""
    there = moved_by((200.0, 0.0, 0.0), np.eye(4))
    back = moved_by((1.0, 0.0, 0.0), np.eye(4))
    met = half_way(there, back, grid())
    np.testing.assert_allclose(met.displacement_mm, there.displacement_mm, atol=1e-4)
