"""Where both scans of a case have data, against the boxes of their grids."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lungreg.config import Augmentation, Preprocessing
from lungreg.learning.loss_input import LossInput
from lungreg.learning.preprocessing import PreparedPair, augment, prepare_pair
from lungreg.spatial.geometry import apply_affine
from tests.grids import voxels
from tests.learning.blob_pair import AFFINE, FIXED, MOVING, blob_pair

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = Preprocessing(spatial_size=(16, 14, 12))
STEP = (2.2, -1.2, 0.4)


def given(pair: PreparedPair) -> LossInput:
    """The pair after a network that shifts everything by a few voxels."""
    shift = torch.tensor(STEP).view(1, 3, 1, 1, 1).expand(1, 3, *pair.grid.shape)
    return LossInput(
        fixed=pair.fixed[None],
        moving=pair.moving[None],
        displacement_vox=shift,
        grid=pair.grid,
        affine=pair.affine,
        moving_grid=pair.moving_grid,
        motion=pair.motion,
    )


@pytest.fixture(scope="module")
def still() -> PreparedPair:
    """A pair on oblique grids whose moving scan ends inside the box of the fixed one."""
    return prepare_pair(blob_pair(), AFFINE, SETTINGS)


def test_shown_is_what_lies_in_the_boxes_of_both_scans(still: PreparedPair) -> None:
    """Through shift and `A`, and not beyond the network's grid, which ends the moving scan too."""
    here = still.grid.to_world(voxels(still.grid))
    there = still.grid.to_world(voxels(still.grid) + np.array(STEP))
    expected = FIXED.contains(here) & FIXED.contains(there)
    expected &= MOVING.contains(apply_affine(AFFINE, there))
    found = given(still).both_shown.numpy()
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_array_equal(found, expected.reshape(still.grid.shape))


def test_augmentation_carries_the_boxes_along(still: PreparedPair) -> None:
    """A place is shown after augmentation where the place it came from lies in both boxes."""
    settings = Augmentation(rotation_deg=20, translation_vox=2, scale=0.1)
    moved = augment(still, settings, seed=0, epoch=1, case_id="a")
    assert moved.motion is not None
    here, there = (
        still.grid.to_world(apply_affine(moved.motion, voxels(still.grid) + step))
        for step in (np.zeros(3), np.array(STEP))
    )
    expected = FIXED.contains(here) & FIXED.contains(there)
    expected &= MOVING.contains(apply_affine(AFFINE, there))
    expected &= still.grid.contains(still.grid.to_world(voxels(still.grid) + np.array(STEP)))
    found = given(moved).both_shown.numpy()
    np.testing.assert_array_equal(found, expected.reshape(still.grid.shape))
    assert not np.array_equal(found, given(still).both_shown.numpy())


def test_motion_is_that_of_the_images(still: PreparedPair) -> None:
    """The image after augmentation shows at a voxel what lay where the map says."""
    settings = Augmentation(
        rotation_deg=20, translation_vox=2, scale=0.1, noise_std=None, blur_sigma=None
    )
    moved = augment(still, settings, seed=0, epoch=1, case_id="a")
    assert moved.motion is not None
    assert moved.fixed_points_vox is not None
    back = apply_affine(moved.motion, moved.fixed_points_vox.numpy())
    np.testing.assert_allclose(back, still.fixed_points_vox, atol=1e-4)


def test_without_a_moving_grid_the_network_s_grid_is_the_end() -> None:
    """A case built by hand, without displacement, is shown everywhere."""
    pair = prepare_pair(blob_pair(), AFFINE, SETTINGS)
    case = LossInput(
        fixed=pair.fixed[None],
        moving=pair.moving[None],
        displacement_vox=torch.zeros(1, 3, *pair.grid.shape),
        grid=pair.grid,
    )
    assert bool(case.both_shown.all())
