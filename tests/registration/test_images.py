"""The arrays of a registered pair on the fixed grid, against the resampling of each on its own."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.pair import read_pair
from lungreg.registration.register import Registered
from lungreg.spatial.displacement import jacobian_determinant, resample
from lungreg.spatial.geometry import apply_affine
from lungreg.testing import MemoryStage
from tests.grids import voxels
from tests.registration.registering import (
    SEED,
    register_pair,
    waving_network,
)
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, put_case, scan

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


class TestPictures:
    @pytest.fixture
    def registered(self, stage: MemoryStage) -> Registered:
        """A pair aligned by its masks, then waved."""
        pair = read_pair(stage, put_case(stage, "a", seed=SEED, offset=1000.0))
        return register_pair(pair, waving_network(), alignment="masks")

    def test_before_is_after_the_alignment_alone(self, registered: Registered) -> None:
        """Image and mask "before" are through `A`, in Hounsfield units like the others."""
        moving, mask = scan(MOVING_GRID, SEED, breath(SEED))
        affine = registered.transform.affine
        hu = resample(moving, MOVING_GRID, FIXED_GRID, affine, outside_value=-1000.0).values
        labels = resample(mask, MOVING_GRID, FIXED_GRID, affine, mode="nearest").values
        pictures = registered.images
        expected = np.clip((hu + 1000) / 1500, 0, 1)
        np.testing.assert_allclose(pictures.aligned, expected, atol=1e-3)
        np.testing.assert_array_equal(pictures.aligned_mask, labels > 0)

    def test_displacement_is_what_the_network_added(self, registered: Registered) -> None:
        """`T(x) - A(x)`, in the moving scan's millimetres."""
        affine, dense = registered.transform.affine, registered.dense_mm
        points = FIXED_GRID.to_world(voxels(FIXED_GRID))
        moved = apply_affine(affine, points + dense.reshape(3, -1).T)
        added = (moved - apply_affine(affine, points)).T.reshape(dense.shape)
        np.testing.assert_allclose(registered.images.displacement_mm, added, atol=1e-3)

    def test_determinant_is_of_all_of_t(self, registered: Registered) -> None:
        """The alignment's scale is part of the Jacobian."""
        affine = registered.transform.affine
        assert abs(np.linalg.det(affine[:3, :3]) - 1) > 0.05
        expected = jacobian_determinant(affine, registered.dense_mm, FIXED_GRID)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(registered.images.jacobian, expected, rtol=1e-5)

    def test_lungs_stand_in_for_a_mask(self, stage: MemoryStage) -> None:
        """Without masks the segmented lungs are outlined, and nothing moved is."""
        pair = read_pair(stage, put_case(stage, "a", seed=SEED, masks=False))
        found = register_pair(pair, waving_network(), alignment="world")
        assert found.images.fixed_mask is not None
        assert found.images.fixed_mask.any()
        assert found.images.warped_mask is found.images.aligned_mask is None
