"""Measures of a registered pair: closed forms, identities, and MONAI as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from monai.metrics.regression import compute_ssim_and_cs
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.geometry import Grid
from lungreg.metrics import (
    dice,
    hd95_mm,
    jacobian_summary,
    landmark_errors_mm,
    landmark_summary,
    ncc,
    ssim,
)

SHAPE = (20, 22, 24)
SPACING_MM = (1.0, 1.5, 2.5)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives every run the same numbers."""
    return np.random.default_rng(7)


def oblique_grid(shape: tuple[int, int, int] = SHAPE) -> Grid:
    """An anisotropic grid that is turned about two axes."""
    a, b = np.deg2rad(25), np.deg2rad(-40)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag(SPACING_MM)
    affine[:3, 3] = (-30.0, 12.0, 200.0)
    return Grid(shape=shape, affine=affine)


def ball(centre: tuple[float, float, float], radius_vox: float) -> NDArray[np.bool_]:
    """A ball of voxels on the test grid."""
    index = np.indices(SHAPE).reshape(3, -1).T - np.array(centre)
    return (np.linalg.norm(index, axis=1) <= radius_vox).reshape(SHAPE)


def block(*slices: slice) -> NDArray[np.bool_]:
    """A box of voxels on the test grid."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slices] = True
    return mask


class TestDice:
    def test_closed_form(self) -> None:
        """Two boxes of 10 voxels that share 5 have a Dice of one half."""
        fixed = block(slice(0, 10), slice(3, 4), slice(3, 4))
        moving = block(slice(5, 15), slice(3, 4), slice(3, 4))
        assert dice(fixed, moving) == 0.5

    def test_one_empty(self) -> None:
        """A mask that did not arrive has a Dice of 0, not an error."""
        assert dice(ball((9, 9, 9), 4), np.zeros(SHAPE, dtype=bool)) == 0.0

    def test_both_empty(self) -> None:
        """Two empty masks are refused: 0 / 0 is neither good nor bad."""
        empty = np.zeros(SHAPE, dtype=bool)
        with pytest.raises(DataError, match="two empty masks"):
            dice(empty, empty)

    def test_shapes_differ(self) -> None:
        """Masks of different grids are refused."""
        with pytest.raises(DataError, match=r"one shape .* got \(20, 22, 24\) and \(2, 22, 24\)"):
            dice(ball((9, 9, 9), 4), np.ones((2, 22, 24), dtype=bool))


class TestHd95:
    @pytest.mark.parametrize(("axis", "step"), [(0, 3), (1, 2), (2, 4)])
    def test_slab_shift(self, axis: int, step: int) -> None:
        """Two parallel plates are as far apart as their shift in mm, on an oblique grid too."""
        planes = [[slice(None)] * 3, [slice(None)] * 3]
        planes[0][axis], planes[1][axis] = slice(5, 6), slice(5 + step, 6 + step)
        value = hd95_mm(block(*planes[0]), block(*planes[1]), oblique_grid())
        assert value == pytest.approx(step * SPACING_MM[axis], rel=1e-9)

    @pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
    @pytest.mark.parametrize("centre", [(11, 10, 13), (9.5, 14, 12), (3, 3, 21)])
    def test_equals_monai(self, centre: tuple[float, float, float]) -> None:
        """The distance is MONAI's, also where a mask is cut by the volume's border."""
        fixed, moving = ball((9, 9, 11), 6), ball(centre, 5)
        oracle = compute_hausdorff_distance(
            torch.from_numpy(moving)[None, None].float(),
            torch.from_numpy(fixed)[None, None].float(),
            include_background=True,
            percentile=95,
            spacing=SPACING_MM,
        )
        value = hd95_mm(fixed, moving, oblique_grid())
        assert value == pytest.approx(oracle.item(), rel=1e-5)

    def test_symmetric(self) -> None:
        """Which mask comes first makes no difference."""
        fixed, moving, grid = ball((9, 9, 9), 6), ball((11, 12, 14), 3), oblique_grid()
        assert hd95_mm(fixed, moving, grid) == hd95_mm(moving, fixed, grid)

    def test_identical(self) -> None:
        """A mask has no distance to itself."""
        assert hd95_mm(ball((9, 9, 9), 6), ball((9, 9, 9), 6), oblique_grid()) == 0.0

    def test_empty(self) -> None:
        """An empty moving mask leaves the distance undefined; an empty fixed one is an error."""
        fixed, empty = ball((9, 9, 9), 6), np.zeros(SHAPE, dtype=bool)
        assert hd95_mm(fixed, empty, oblique_grid()) is None
        with pytest.raises(DataError, match="at least one voxel"):
            hd95_mm(empty, fixed, oblique_grid())


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


class TestJacobianSummary:
    def test_closed_form(self) -> None:
        """Half the lung shrunk to a half and half doubled has an sdlogj of log 2."""
        jacobian = np.full(SHAPE, -5.0)
        mask = block(slice(0, 10), slice(0, 4), slice(0, 4))
        jacobian[:5][mask[:5]], jacobian[5:][mask[5:]] = 0.5, 2.0
        summary = jacobian_summary(jacobian, mask)
        assert summary.fold_pct == 0.0
        assert (summary.minimum, summary.maximum) == (0.5, 2.0)
        assert summary.sdlogj == pytest.approx(np.log(2.0))

    def test_folds(self) -> None:
        """Negative, zero and undefined determinants are folds, and stay out of sdlogj."""
        jacobian = np.ones(SHAPE)
        mask = block(slice(0, 10), slice(0, 1), slice(0, 1))
        jacobian[:3, 0, 0] = (-1.0, 0.0, np.nan)
        summary = jacobian_summary(jacobian, mask)
        assert summary.fold_pct == pytest.approx(30.0)
        assert summary.sdlogj == 0.0

    def test_tiny_determinant_is_clipped(self) -> None:
        """A determinant that just does not fold counts as 1e-9, so that sdlogj stays finite."""
        jacobian = np.ones(SHAPE)
        mask = block(slice(0, 2), slice(0, 1), slice(0, 1))
        jacobian[0, 0, 0] = 1e-300
        assert jacobian_summary(jacobian, mask).sdlogj == pytest.approx(-np.log(1e-9) / 2)

    def test_all_folded(self) -> None:
        """Where everything folds there is no logarithm to speak of."""
        summary = jacobian_summary(np.full(SHAPE, -1.0), ball((9, 9, 9), 6))
        assert summary.fold_pct == 100.0
        assert summary.sdlogj is None

    def test_empty(self) -> None:
        """An empty mask is refused."""
        with pytest.raises(DataError, match="at least one voxel"):
            jacobian_summary(np.ones(SHAPE), np.zeros(SHAPE, dtype=bool))


class TestLandmarks:
    def test_closed_form(self) -> None:
        """Errors are Euclidean distances in mm; mean and median are theirs."""
        moved = np.array([[0.0, 0, 0], [1, 2, 2], [0, 0, 9]])
        errors = landmark_errors_mm(moved, np.zeros((3, 3)))
        np.testing.assert_allclose(errors, [0, 3, 9])
        assert landmark_summary(errors) == (4.0, 3.0)

    def test_lengths_differ(self) -> None:
        """Lists that cannot be paired are refused."""
        with pytest.raises(DataError, match=r"one shape \(N, 3\)"):
            landmark_errors_mm(np.zeros((4, 3)), np.zeros((3, 3)))

    def test_none(self) -> None:
        """Without landmarks there is no mean."""
        with pytest.raises(DataError, match="at least one landmark"):
            landmark_summary(np.zeros(0))
