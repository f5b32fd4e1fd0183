"""Similarity of images inside a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics.regression import compute_ssim_and_cs
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lungreg.errors import DataError
from lungreg.metrics import ncc, residual_difference, ssim
from lungreg.spatial.geometry import Grid
from tests.metrics.shapes import SHAPE, ball, block, oblique_grid


class TestSsim:
    def test_equals_monai(self, rng: np.random.Generator) -> None:
        """The map is MONAI's wherever its window fits into the volume."""
        fixed = rng.random(SHAPE, dtype=np.float32)
        warped = np.clip(fixed + rng.normal(0, 0.2, SHAPE).astype(np.float32), 0, 1)
        oracle, _ = compute_ssim_and_cs(
            torch.from_numpy(warped)[None, None],
            torch.from_numpy(fixed)[None, None],
            spatial_dims=3,
            kernel_size=(11, 11, 11),
            kernel_sigma=(1.5, 1.5, 1.5),
        )
        inside = rng.random(tuple(n - 10 for n in SHAPE)) < 0.4
        mask = np.pad(inside, 5)
        expected = oracle[0, 0].numpy()[inside].mean()
        assert ssim(fixed, warped, mask) == pytest.approx(expected, abs=2e-5)

    def test_identical(self, rng: np.random.Generator) -> None:
        """An image is perfectly similar to itself, up to the border."""
        image = rng.random(SHAPE, dtype=np.float32)
        assert ssim(image, image, np.ones(SHAPE, dtype=bool)) == pytest.approx(1.0, abs=1e-6)

    def test_mask_decides(self, rng: np.random.Generator) -> None:
        """What lies farther than the window from the mask changes nothing."""
        fixed = rng.random(SHAPE, dtype=np.float32)
        warped = rng.random(SHAPE, dtype=np.float32)
        mask = block(slice(12, 18), slice(12, 18), slice(12, 18))
        changed = warped.copy()
        changed[:7] = 0.0
        assert ssim(fixed, changed, mask) == ssim(fixed, warped, mask)
        changed[:8] = 0.0
        assert ssim(fixed, changed, mask) != ssim(fixed, warped, mask)


class TestNcc:
    def test_linear_map(self, rng: np.random.Generator) -> None:
        """A linear map of intensities correlates perfectly, with its sign."""
        fixed, mask = rng.random(SHAPE, dtype=np.float32), ball((9, 9, 9), 6)
        assert ncc(fixed, 0.3 * fixed + 0.2, mask) == pytest.approx(1.0, abs=1e-6)
        assert ncc(fixed, 1.0 - fixed, mask) == pytest.approx(-1.0, abs=1e-6)

    def test_equals_numpy(self, rng: np.random.Generator) -> None:
        """The value is Pearson's, over the mask alone."""
        fixed, warped = rng.random(SHAPE), rng.random(SHAPE)
        mask = ball((9, 9, 9), 6)
        expected = np.corrcoef(fixed[mask], warped[mask])[0, 1]
        assert ncc(fixed, warped, mask) == pytest.approx(expected, rel=1e-9)

    def test_constant(self, rng: np.random.Generator) -> None:
        """A correlation with a constant image is undefined."""
        fixed, mask = rng.random(SHAPE), ball((9, 9, 9), 6)
        assert ncc(fixed, np.full(SHAPE, 0.4), mask) is None


BIG = (40, 36, 32)


class TestResidualDifference:
    """On structures of 4 mm in a ball that fills most of an oblique grid of 1 x 1.5 x 2.5 mm."""

    @pytest.fixture
    def grid(self) -> Grid:
        return oblique_grid(BIG)

    @pytest.fixture
    def lungs(self) -> NDArray[np.bool_]:
        index = np.indices(BIG).reshape(3, -1).T - (np.array(BIG) - 1) / 2
        return (np.linalg.norm(index / (18, 16, 14), axis=1) < 1).reshape(BIG)

    def texture(self, rng: np.random.Generator, grid: Grid) -> NDArray[np.float32]:
        noise = rng.normal(size=BIG).astype(np.float32)
        smooth = gaussian_filter(noise, 4.0 / grid.spacing_mm)
        return smooth / smooth.std()

    def test_same_image_leaves_nothing(
        self, rng: np.random.Generator, grid: Grid, lungs: NDArray[np.bool_]
    ) -> None:
        """0 for an image and itself; 1.41 for its negative."""
        image = self.texture(rng, grid)
        assert residual_difference(image, image, lungs, grid) == 0.0
        opposite = residual_difference(image, -image, lungs, grid)
        assert opposite == pytest.approx(np.sqrt(2), rel=1e-5)

    def test_unrelated_images_leave_all(
        self, rng: np.random.Generator, grid: Grid, lungs: NDArray[np.bool_]
    ) -> None:
        """About 1 where two images have nothing in common."""
        both = self.texture(rng, grid), self.texture(rng, grid)
        assert residual_difference(*both, lungs, grid) == pytest.approx(1.0, abs=0.15)

    def test_known_share(
        self, rng: np.random.Generator, grid: Grid, lungs: NDArray[np.bool_]
    ) -> None:
        """A contrast of c instead of 1 leaves |1 - c| / sqrt(1 + c^2), in closed form."""
        image = self.texture(rng, grid)
        found = residual_difference(image, 0.5 * image, lungs, grid)
        assert found == pytest.approx(0.5 / np.sqrt(1.25), rel=1e-5)

    def test_density_counts_for_nothing(
        self, rng: np.random.Generator, grid: Grid, lungs: NDArray[np.bool_]
    ) -> None:
        """Lungs that thin as a whole, with a slope from top to bottom, differ hardly."""
        image = self.texture(rng, grid)
        slope = np.linspace(0, 1, BIG[2], dtype=np.float32)
        found = residual_difference(image, image - 5.0 + slope, lungs, grid)
        assert found is not None
        assert found < 0.05
        plain = np.sqrt(np.mean((slope - 5.0) ** 2))
        assert plain > 4

    def test_what_lies_outside_the_mask_is_no_density(
        self, rng: np.random.Generator, grid: Grid, lungs: NDArray[np.bool_]
    ) -> None:
        """The chest wall beyond the lungs changes the mean of no voxel that is far from it."""
        image = self.texture(rng, grid)
        inner = lungs & (gaussian_filter(lungs.astype(np.float32), 5 / grid.spacing_mm) > 0.9)
        walled = np.where(lungs, image, 50.0)
        found = residual_difference(image, walled, inner, grid)
        assert found is not None
        assert found < 0.2

    def test_it_grows_with_the_error(
        self, rng: np.random.Generator, grid: Grid, lungs: NDArray[np.bool_]
    ) -> None:
        """A shift by 0, 1, 2, 4 and 8 voxels leaves more and more, also under noise."""
        image = self.texture(rng, grid)
        noisy = [np.roll(image, shift, 0) + 0.5 * rng.normal(size=BIG) for shift in (0, 1, 2, 4, 8)]
        found = [residual_difference(image, moved, lungs, grid) for moved in noisy]
        assert found == sorted(found)
        assert found[0] is not None
        assert found[-1] is not None
        assert found[0] < 0.35
        assert found[-1] > 0.7

    def test_flat_images(self, grid: Grid, lungs: NDArray[np.bool_]) -> None:
        """Without texture there is nothing to compare; one flat image shares nothing."""
        flat = np.full(BIG, 0.3, dtype=np.float32)
        assert residual_difference(flat, flat, lungs, grid) is None
        rough = np.indices(BIG).sum(axis=0).astype(np.float32) % 7
        assert residual_difference(flat, rough, lungs, grid) == pytest.approx(1.0, abs=1e-3)

    def test_refused(self, grid: Grid, lungs: NDArray[np.bool_]) -> None:
        """Other shapes and an empty mask have no meaning."""
        image = np.zeros(BIG, dtype=np.float32)
        with pytest.raises(DataError, match="one shape"):
            residual_difference(image, image[1:], lungs, grid)
        with pytest.raises(DataError, match="at least one voxel"):
            residual_difference(image, image, np.zeros_like(lungs), grid)
