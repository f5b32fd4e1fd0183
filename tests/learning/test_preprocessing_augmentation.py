"""Random changes of training pairs: masks and landmarks move with the scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from lungreg.config import Augmentation, Preprocessing
from lungreg.learning.preprocessing import PreparedPair, augment, draw_affine, prepare_pair
from tests.grids import centre_of_mass
from tests.learning.blob_pair import blob_pair

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = Augmentation(
    rotation_deg=None, translation_vox=None, scale=None, noise_std=None, blur_sigma=None
)


@pytest.fixture(scope="module")
def prepared() -> PreparedPair:
    """Blobs with their landmarks, away from the borders, not at the same place in both scans."""
    return prepare_pair(blob_pair(), np.eye(4), Preprocessing(spatial_size=(32, 32, 40)))


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
