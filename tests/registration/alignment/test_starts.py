"""The starts of short registrations, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.alignment.coarse import coarse
from lungreg.registration.alignment.scan import make_scan
from lungreg.registration.alignment.starts import (
    between_axes,
    laid_over,
    lungs_over_lungs,
    square_turns,
    turned,
)
from lungreg.spatial.geometry import apply_affine
from tests.registration.alignment.chests import AXIS_TURNS, box_scan, oblique_grid, reordered
from tests.registration.alignment.patients import cut, patient


def coarse_box(scan, spacing_mm=5.0):
    return coarse(make_scan(*scan), spacing_mm)


def test_lungs_over_lungs_without_a_cut() -> None:
    """All three lay whole lungs of one size over each other."""
    shift_mm = np.array([40.0, -30.0, 60.0])
    image, grid, mask = box_scan()
    affine = grid.affine.copy()
    affine[:3, 3] += shift_mm
    moving = image, type(grid)(shape=grid.shape, affine=affine), mask
    found = lungs_over_lungs(coarse_box((image, grid, mask)), coarse_box(moving), np.eye(3))
    assert set(found) == {"lungs", "apices", "bases"}
    for start in found.values():
        np.testing.assert_allclose(start[:3, 3], shift_mm, atol=1e-6)


@pytest.mark.parametrize(("end", "kind"), [("bases", "apices"), ("apices", "bases")])
@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_the_uncut_end_leads(role: str, end: str, kind: str) -> None:
    """Of a scan that is cut off, the other end is laid over its partner; centres are not."""
    whole = patient()
    part = cut(whole, role, end, 60.0)
    scans = [
        coarse(make_scan(getattr(part.pair, name).data, getattr(part.pair, name).grid, mask), 4.8)
        for name, mask in (("fixed", part.pair.fixed_mask), ("moving", part.pair.moving_mask))
    ]
    found = lungs_over_lungs(*scans, np.eye(3))
    ends = [getattr(s.lung_points_ras[:, 2], "max" if end == "bases" else "min")() for s in scans]
    assert found[kind][2, 3] == pytest.approx(ends[1] - ends[0])
    assert abs(found["lungs"][2, 3] - found[kind][2, 3]) > 3.0


def test_no_lungs() -> None:
    """Without lungs in one scan there is nothing to lay over each other."""
    image, grid, _ = box_scan()
    assert (
        lungs_over_lungs(coarse_box((image, grid, None)), coarse_box(box_scan()), np.eye(3)) == {}
    )


@pytest.mark.parametrize("turn", AXIS_TURNS.values(), ids=AXIS_TURNS.keys())
def test_between_axes(turn: list[list[int]]) -> None:
    """The map between the axes of two arrays, whatever the world says; none for a mirror."""
    image, grid, mask = box_scan()
    moving = reordered(image, grid, mask, turn)[1]
    found = between_axes(grid, moving)
    if np.linalg.det(moving.directions @ np.linalg.inv(grid.directions)) < 0:
        assert found is None
    else:
        np.testing.assert_allclose(found @ grid.directions, moving.directions, atol=1e-9)


def test_turned() -> None:
    """Six turns by 25 degrees leave the centre where the affine carries it."""
    affine, centre = np.diag([1.1, 0.9, 1.2, 1.0]), oblique_grid().centre_ras
    starts = turned(affine, centre)
    assert len(starts) == 6
    for start in starts:
        carried = apply_affine(start, centre[None])
        np.testing.assert_allclose(carried, apply_affine(affine, centre[None]), atol=1e-9)
        turn = np.linalg.inv(affine[:3, :3]) @ start[:3, :3]
        assert np.rad2deg(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(25.0)


def test_square_turns() -> None:
    """Each of the 23 turns of a cube once: a permutation of the axes and their signs."""
    turns = square_turns()
    assert len({turn.tobytes() for turn in turns}) == 23
    for turn in turns:
        np.testing.assert_array_equal(turn @ turn.T, np.eye(3))
        np.testing.assert_array_equal(np.abs(turn).sum(axis=0), 1)
        assert np.linalg.det(turn) == pytest.approx(1)
        assert not np.array_equal(turn, np.eye(3))


def test_laid_over() -> None:
    """A linear part is kept, by lungs or, without them, by the middles of the boxes."""
    image, grid, mask = box_scan()
    turn = np.diag([-1.0, -1.0, 1.0])
    for lungs in (mask, None):
        scan = coarse_box((image, grid, lungs))
        starts = laid_over(scan, scan, [turn])
        assert all(np.array_equal(start[:3, :3], turn) for start in starts)
    (centre,) = starts
    middle = scan.grid.centre_ras[None]
    np.testing.assert_allclose(apply_affine(centre, middle), middle, atol=1e-9)
