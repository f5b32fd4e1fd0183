"""Masks that leave out a part of the lungs, on a simulated pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.registration.lung_segmentation import LEFT_LUNG, RIGHT_LUNG
from lungreg.registration.mask_cover import _parts, mask_cover
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Grid
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")


def without(lower: float, *, of_one: bool = False) -> Pair:
    """A pair whose fixed mask lacks the lower part of both lungs, or of one, by their volume."""
    pair = as_pair(simulated())
    mask, grid = np.asarray(pair.fixed_mask), pair.fixed.grid
    voxels = np.argwhere(mask > 0)
    points = grid.to_world(voxels.astype(np.float64))
    gone = points[:, 2] < np.quantile(points[:, 2], lower)
    if of_one:
        gone &= points[:, 0] < np.median(points[:, 0])
    rest = mask.copy()
    rest[tuple(voxels[gone].T)] = 0
    return replace(pair, fixed_mask=rest)


def test_right_masks_hold_all_parts() -> None:
    """Of both scans."""
    assert (mask_cover(as_pair(simulated())) or 0) > 0.9


@pytest.mark.parametrize(("lower", "found"), [(0.1, 0.7), (0.2, 0.4), (0.5, 0.0)])
@pytest.mark.parametrize("of_one", [True, False])
def test_the_part_that_a_mask_leaves_out_is_found(lower: float, found: float, of_one: bool) -> None:
    """Of the lowest third of one lung, though the mask holds nine tenths of all."""
    assert mask_cover(without(lower, of_one=of_one)) == pytest.approx(found, abs=0.1)


def test_mirrored_masks_leave_out_a_part() -> None:
    """Of both scans alike, so that they overlap as well as right ones do."""
    pair = as_pair(simulated())
    across = pair.fixed.grid.axis_along(0)
    fixed, moving = (
        np.flip(np.asarray(mask), across) for mask in (pair.fixed_mask, pair.moving_mask)
    )
    found = mask_cover(replace(pair, fixed_mask=fixed, moving_mask=moving))
    assert found is not None
    assert found < 0.75


def test_parts_are_thirds_of_each_lung_unless_these_are_small() -> None:
    """By the height of the world, which the first axis holds here; small lungs are one part."""
    labels = np.zeros((9, 20, 40), dtype=np.uint8)
    labels[:, 5:15, 2:12], labels[:, 5:15, 22:32] = RIGHT_LUNG, LEFT_LUNG
    affine = np.array([[0, 0, -5.0, 0], [0, 5.0, 0, 0], [5.0, 0, 0, 0], [0, 0, 0, 1]])
    grid = Grid(shape=labels.shape, affine=affine)
    right, *_, last = parts = list(_parts(labels, grid))
    assert len(parts) == 6
    assert {int(labels[part][0]) for part in parts} == {RIGHT_LUNG, LEFT_LUNG}
    assert (set(right[0]), set(last[0])) == ({0, 1, 2}, {6, 7, 8})
    small = Grid(shape=labels.shape, affine=np.diag([1.0, 1.0, 1.0, 1.0]))
    (whole,) = _parts(labels, small)
    assert len(whole[0]) == np.count_nonzero(labels)


def test_without_masks_there_is_nothing_to_say() -> None:
    """Lungs found by threshold are all that the scan shows."""
    assert mask_cover(as_pair(simulated(), masks=False)) is None
