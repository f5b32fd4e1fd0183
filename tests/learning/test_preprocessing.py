"""From a pair to the network's grid, compared with SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.transforms import ScaleIntensityRange
from scipy import ndimage

from lungreg.config import Preprocessing
from lungreg.formats.volumes import Volume
from lungreg.learning.preprocessing import prepare_pair
from lungreg.registration.intensity import window
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Grid, apply_affine
from tests.grids import centre_of_mass, voxels
from tests.learning.blob_pair import AFFINE, FIXED, MOVING, STORED, blob_pair

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = Preprocessing(spatial_size=(24, 16, 32))


def noise_pair() -> Pair:
    """Random scans and masks, so that every voxel shows where it comes from."""
    rng = np.random.default_rng(0)
    return replace(
        blob_pair(),
        fixed=Volume(
            data=rng.uniform(-1200, 700, FIXED.shape).astype(np.float32), grid=FIXED, stored=STORED
        ),
        moving=Volume(
            data=rng.uniform(-1200, 700, MOVING.shape).astype(np.float32),
            grid=MOVING,
            stored=STORED,
        ),
        fixed_mask=rng.integers(0, 3, FIXED.shape),
        moving_mask=rng.integers(0, 3, MOVING.shape),
    )


def sampled(values: np.ndarray, grid: Grid, points_ras: np.ndarray, order: int) -> np.ndarray:
    """SciPy's interpolation at points of the world, zero outside."""
    index = grid.to_voxel(points_ras).T
    return np.asarray(
        ndimage.map_coordinates(
            values.astype(np.float64), index, order=order, mode="grid-constant", cval=0.0
        )
    )


class TestWindow:
    def test_carries_the_window_to_0_and_1(self) -> None:
        """Linear between the two, clipped beyond."""
        hu = np.array([-3000.0, -1000.0, -250.0, 500.0, 3000.0], dtype=np.float32)
        np.testing.assert_allclose(window(hu, (-1000.0, 500.0)), [0, 0, 0.5, 1, 1])
        np.testing.assert_allclose(window(hu, (-250.0, 3000.0)), [0, 0, 0, 3 / 13, 1], atol=1e-7)
        assert window(hu, (-1000.0, 500.0)).dtype == np.float32

    def test_equals_monai(self) -> None:
        """The chain that the network sees uses MONAI's transform; the pictures use ours."""
        hu = np.random.default_rng(0).normal(-500, 600, (9, 8, 7)).astype(np.float32)
        for low, high in ((-1000.0, 500.0), (-250.0, 3000.0)):
            theirs = ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)(hu)
            np.testing.assert_allclose(window(hu, (low, high)), theirs, atol=1e-6)

    def test_leaves_its_input(self) -> None:
        """The scan itself is needed later, in Hounsfield units."""
        hu = np.array([[[-500.0]]], dtype=np.float32)
        window(hu, (-1000.0, 500.0))
        assert hu[0, 0, 0] == -500.0


class TestPreparePair:
    def test_grid_fills_the_fixed_box(self) -> None:
        """The network's grid lies over the fixed scan's box."""
        prepared = prepare_pair(blob_pair(), AFFINE, SETTINGS)
        assert prepared.grid.same_as(FIXED.resized((24, 16, 32)))
        np.testing.assert_array_equal(prepared.affine, AFFINE)
        for tensor in (prepared.fixed, prepared.moving):
            assert tensor.shape == (1, 24, 16, 32)
            assert tensor.dtype == torch.float32
            assert type(tensor) is torch.Tensor
        assert prepared.fixed_mask is not None
        assert prepared.fixed_mask.dtype == torch.uint8
        assert type(prepared.fixed_mask) is torch.Tensor

    def test_equals_scipy(self) -> None:
        """Both scans are windowed, then sampled once: at `x` and at `A(x)` of each voxel."""
        pair = noise_pair()
        prepared = prepare_pair(pair, AFFINE, SETTINGS)
        points = prepared.grid.to_world(voxels(prepared.grid))
        carried = apply_affine(AFFINE, points)
        hu_window = SETTINGS.hu_window
        fixed = sampled(window(pair.fixed_hu, hu_window), FIXED, points, 1)
        moving = sampled(window(pair.moving_hu, hu_window), MOVING, carried, 1)
        np.testing.assert_allclose(prepared.fixed.numpy().ravel(), fixed, atol=2e-4)
        np.testing.assert_allclose(prepared.moving.numpy().ravel(), moving, atol=2e-4)

    def test_masks_equal_scipy(self) -> None:
        """Any label is lung, 1, found by nearest neighbour."""
        pair = noise_pair()
        prepared = prepare_pair(pair, AFFINE, SETTINGS)
        points = prepared.grid.to_world(voxels(prepared.grid))
        carried = apply_affine(AFFINE, points)
        for mask, labels, grid, where in (
            (prepared.fixed_mask, pair.fixed_mask, FIXED, points),
            (prepared.moving_mask, pair.moving_mask, MOVING, carried),
        ):
            assert mask is not None
            assert labels is not None
            expected = sampled(labels > 0, grid, where, 0)
            assert set(np.unique(mask)) == {0, 1}
            assert (mask.numpy().ravel() == expected).mean() > 0.998

    def test_landmarks_lie_on_their_structure(self) -> None:
        """A blob's centre in each prepared scan is where its landmark is, moving through `A`."""
        prepared = prepare_pair(blob_pair(), AFFINE, SETTINGS)
        for image, points in (
            (prepared.fixed, prepared.fixed_points_vox),
            (prepared.moving, prepared.moving_points_vox),
        ):
            assert points is not None
            assert points.dtype == torch.float32
            np.testing.assert_allclose(centre_of_mass(image[0].numpy()), points[0], atol=0.2)
        # Under the true map the partners coincide.
        torch.testing.assert_close(
            prepared.fixed_points_vox, prepared.moving_points_vox, atol=1e-3, rtol=0
        )

    def test_other_alignments_leave_the_fixed_scan(self) -> None:
        """`A` moves the moving scan, its mask and its points; nothing of the fixed one."""
        by_truth = prepare_pair(blob_pair(), AFFINE, SETTINGS)
        by_headers = prepare_pair(blob_pair(), np.eye(4), SETTINGS)
        assert torch.equal(by_truth.fixed, by_headers.fixed)
        assert not torch.equal(by_truth.moving, by_headers.moving)
        assert by_headers.moving_points_vox is not None
        centre = centre_of_mass(by_headers.moving[0].numpy())
        np.testing.assert_allclose(centre, by_headers.moving_points_vox[0], atol=0.2)

    def test_offset_makes_no_difference(self) -> None:
        """A scan stored with HU + 1000 is the same to the network."""
        plain = prepare_pair(blob_pair(), AFFINE, SETTINGS)
        shifted = prepare_pair(blob_pair(offset=1000.0), AFFINE, SETTINGS)
        torch.testing.assert_close(plain.moving, shifted.moving, atol=1e-6, rtol=0)

    def test_beyond_the_moving_scan_is_air(self) -> None:
        """Where `A` leaves the scan the network sees 0, whatever lies at its border."""
        pair = noise_pair()
        far = np.eye(4)
        far[0, 3] = 1e4
        prepared = prepare_pair(pair, far, SETTINGS)
        assert not prepared.moving.any()
        assert prepared.moving_mask is not None
        assert not prepared.moving_mask.any()

    def test_without_masks_and_landmarks(self) -> None:
        """What a case lacks is not made up."""
        bare = replace(blob_pair(), fixed_mask=None, moving_mask=None, landmarks_vox=None)
        prepared = prepare_pair(bare, AFFINE, SETTINGS)
        assert prepared.fixed_mask is prepared.moving_mask is None
        assert prepared.fixed_points_vox is prepared.moving_points_vox is None
