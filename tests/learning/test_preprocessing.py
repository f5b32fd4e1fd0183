"""From a pair to the network's grid, against SciPy, and random changes that keep truth true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ScaleIntensityRange
from scipy import ndimage

from lungreg.config import Augmentation, Preprocessing
from lungreg.formats.volumes import Stored, Volume
from lungreg.learning.preprocessing import PreparedPair, augment, draw_affine, prepare_pair
from lungreg.records import Case
from lungreg.registration.intensity import window
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Grid, apply_affine
from tests.grids import blob, centre_of_mass, oblique_grid, voxels

pytestmark = pytest.mark.usefixtures("one_thread")

FIXED = oblique_grid((30, 26, 22), spacing_mm=(2.0, 2.6, 3.2))
MOVING = oblique_grid(
    (24, 32, 28),
    spacing_mm=(3.0, 2.2, 2.4),
    angles_rad=(-0.3, 0.25, 0.1),
    axes=(2, 0, 1),
    signs=(1.0, -1.0, 1.0),
    centre_ras=(14.0, -17.0, 304.0),
)
AFFINE = np.array(
    [[1.1, 0.05, 0.0, -3.0], [-0.04, 0.95, 0.1, -30.0], [0.02, -0.1, 1.05, -16.0], [0, 0, 0, 1.0]]
)
SETTINGS = Preprocessing(spatial_size=(24, 16, 32))
STORED = Stored(dtype="int16")
POINT_RAS = FIXED.centre_ras + np.array([5.0, -4.0, 6.0])
STILL = Augmentation(
    rotation_deg=None, translation_vox=None, scale=None, noise_std=None, blur_sigma=None
)


def blob_pair(*, offset: float = 0.0) -> Pair:
    """A bright blob at a landmark of each scan, and masks of where it is brightest."""
    fixed_blob = blob(FIXED, POINT_RAS, 7.0)
    moving_ras = apply_affine(AFFINE, POINT_RAS[None])
    moving_blob = blob(MOVING, moving_ras[0], 7.0)
    points = np.concatenate([FIXED.to_voxel(POINT_RAS[None]), MOVING.to_voxel(moving_ras)], axis=1)
    return Pair(
        case=Case(case_id="a", fixed="f", moving="m", moving_hu_offset=offset),
        fixed=Volume(data=-1000 + 1500 * fixed_blob, grid=FIXED, stored=STORED),
        moving=Volume(
            data=-1000 + 1500 * moving_blob + np.float32(offset), grid=MOVING, stored=STORED
        ),
        fixed_mask=(fixed_blob > 0.4).astype(np.uint8) * 3,
        moving_mask=(moving_blob > 0.4).astype(np.int16) * 300,
        landmarks_vox=points,
    )


def noise_pair() -> Pair:
    """Random scans and masks, so that every voxel tells where it comes from."""
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


@pytest.fixture(scope="module")
def prepared() -> PreparedPair:
    """Blobs with their landmarks, away from the borders, not at the same place in both scans."""
    return prepare_pair(blob_pair(), np.eye(4), Preprocessing(spatial_size=(32, 32, 40)))


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


class TestAugment:
    @pytest.mark.parametrize("case_id", ["a", "b", "c"])
    def test_one_map_for_scan_mask_and_landmarks(
        self, prepared: PreparedPair, case_id: str
    ) -> None:
        """After rotation, shift and scale each landmark is still on its blob, as is the mask."""
        settings = Augmentation(
            rotation_deg=20, translation_vox=3, scale=0.15, noise_std=None, blur_sigma=None
        )
        found = augment(prepared, settings, seed=0, epoch=1, case_id=case_id)
        assert found.fixed_points_vox is not None
        assert prepared.fixed_points_vox is not None
        assert (found.fixed_points_vox - prepared.fixed_points_vox).norm() > 1.0
        for image, mask, points in (
            (found.fixed, found.fixed_mask, found.fixed_points_vox),
            (found.moving, found.moving_mask, found.moving_points_vox),
        ):
            assert points is not None
            assert mask is not None
            np.testing.assert_allclose(centre_of_mass(image[0].numpy()), points[0], atol=0.2)
            np.testing.assert_allclose(centre_of_mass(mask[0].numpy()), points[0], atol=0.4)
            assert mask.dtype == torch.uint8

    def test_keeps_the_relation_of_the_scans(self, prepared: PreparedPair) -> None:
        """Both scans move together: what lay together lies together."""
        same = replace(prepared, moving=prepared.fixed, moving_points_vox=prepared.fixed_points_vox)
        settings = Augmentation(noise_std=None, blur_sigma=None)
        found = augment(same, settings, seed=0, epoch=1, case_id="a")
        assert torch.equal(found.fixed, found.moving)
        assert found.fixed_points_vox is not None
        assert found.moving_points_vox is not None
        assert torch.equal(found.fixed_points_vox, found.moving_points_vox)
        assert found.grid is prepared.grid

    def test_is_drawn_from_seed_epoch_and_case_alone(self, prepared: PreparedPair) -> None:
        """The same three give the same pair, whatever was drawn before; any other another."""
        torch.manual_seed(1)
        first = augment(prepared, Augmentation(), seed=0, epoch=1, case_id="a")
        torch.manual_seed(2)
        np.random.default_rng(3)
        again = augment(prepared, Augmentation(), seed=0, epoch=1, case_id="a")
        for name in ("fixed", "moving", "fixed_mask", "moving_points_vox"):
            assert torch.equal(getattr(first, name), getattr(again, name))
        for other in (
            {"seed": 1, "epoch": 1, "case_id": "a"},
            {"seed": 0, "epoch": 2, "case_id": "a"},
            {"seed": 0, "epoch": 1, "case_id": "b"},
        ):
            found = augment(prepared, Augmentation(), **other)  # type: ignore[arg-type]
            assert not torch.equal(found.fixed, first.fixed)
            assert not torch.equal(found.fixed_points_vox, first.fixed_points_vox)  # type: ignore[arg-type]

    def test_stays_an_image_of_the_network(self, prepared: PreparedPair) -> None:
        """Values stay within 0 and 1, in plain tensors of the same shape."""
        found = augment(prepared, Augmentation(noise_std=0.5), seed=0, epoch=1, case_id="a")
        for name in ("fixed", "moving", "fixed_mask", "moving_mask"):
            tensor = getattr(found, name)
            assert not isinstance(tensor, MetaTensor)
            assert tensor.shape == getattr(prepared, name).shape
        assert 0 <= found.fixed.min() < found.fixed.max() <= 1

    def test_noise_and_blur_are_as_strong_as_asked(self, prepared: PreparedPair) -> None:
        """Noise of its own for each scan, with the standard deviation; blur within its range."""
        grey = torch.full_like(prepared.fixed, 0.5)
        flat = replace(prepared, fixed=grey, moving=grey)
        found = augment(
            flat, STILL.model_copy(update={"noise_std": 0.05}), seed=0, epoch=1, case_id="a"
        )
        noise = [(image - 0.5).numpy().ravel() for image in (found.fixed, found.moving)]
        assert [float(n.std()) for n in noise] == pytest.approx([0.05, 0.05], rel=0.02)
        assert abs(np.corrcoef(noise)[0, 1]) < 0.03
        spike = torch.zeros_like(prepared.fixed)
        spike[0, 16, 16, 20] = 1.0
        sharp = replace(prepared, fixed=spike, moving=spike)
        blur = STILL.model_copy(update={"blur_sigma": (0.8, 1.5)})
        for image in (augment(sharp, blur, seed=0, epoch=1, case_id=c).fixed for c in "abc"):
            gap = np.arange(image.shape[1]) - 16.0
            width = float(np.sqrt((image[0].numpy().sum(axis=(1, 2)) * gap**2).sum()))
            assert 0.75 < width < 1.55

    def test_all_off_changes_nothing(self, prepared: PreparedPair) -> None:
        """Null for every part gives the very tensors."""
        found = augment(prepared, STILL, seed=0, epoch=1, case_id="a")
        for name in ("fixed", "moving", "fixed_mask", "moving_mask", "fixed_points_vox"):
            assert getattr(found, name) is getattr(prepared, name)

    def test_without_masks_and_landmarks(self, prepared: PreparedPair) -> None:
        """What a case lacks is not made up, and the scans change as they would with it."""
        whole = augment(prepared, Augmentation(), seed=0, epoch=1, case_id="a")
        bare = replace(
            prepared,
            fixed_mask=None,
            moving_mask=None,
            fixed_points_vox=None,
            moving_points_vox=None,
        )
        found = augment(bare, Augmentation(), seed=0, epoch=1, case_id="a")
        assert found.fixed_mask is found.moving_points_vox is None
        assert torch.equal(found.moving, whole.moving)

    def test_switching_a_part_off_leaves_the_others(self, prepared: PreparedPair) -> None:
        """Rotation, shift and scale drawn together are those drawn alone; so is the noise."""

        def drawn(**on: float) -> np.ndarray:
            matrix = draw_affine(STILL.model_copy(update=on), np.random.RandomState(5))
            assert matrix is not None
            return matrix

        whole = drawn(rotation_deg=20, translation_vox=4, scale=0.2)
        parts = drawn(rotation_deg=20) @ drawn(translation_vox=4) @ drawn(scale=0.2)
        np.testing.assert_allclose(whole, parts, atol=1e-12)
        grey = torch.full_like(prepared.fixed, 0.5)
        flat = replace(prepared, fixed=grey, moving=grey)
        noisy = [
            augment(
                flat,
                STILL.model_copy(update={"noise_std": 0.05, **other}),
                seed=0,
                epoch=1,
                case_id="a",
            ).moving[:, 12:20, 12:20, 16:24]
            for other in ({}, {"blur_sigma": (0.5, 1.5)}, {"translation_vox": 2.0})
        ]
        for other in noisy[1:]:
            torch.testing.assert_close(noisy[0], other, atol=1e-3, rtol=0)

    def test_draws_stay_within_their_ranges(self) -> None:
        """No scale, shift or turn beyond what the settings say."""
        settings = Augmentation(rotation_deg=None, translation_vox=4, scale=0.1)
        for seed in range(50):
            matrix = draw_affine(settings, np.random.RandomState(seed))
            assert matrix is not None
            assert (np.abs(np.diag(matrix)[:3] - 1) <= 0.1).all()
            assert (np.abs(matrix[:3, 3]) <= 4).all()
        assert draw_affine(STILL, np.random.RandomState(0)) is None
