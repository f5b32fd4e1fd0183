"""What is reported of a pair, from arrays whose truth is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lungreg.records import CaseMetrics
from lungreg.registration import evaluation
from lungreg.registration.correspondences import LandmarkEstimate
from lungreg.registration.evaluation import measure
from lungreg.registration.images import PairImages, carry_moving, pair_images
from lungreg.registration.pair import Pair, read_pair
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Transform, apply_affine
from lungreg.testing import MemoryStage
from tests.small_cases import FIXED_GRID, breath, put_case

WINDOW = (-1000.0, 500.0)


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A case with masks and landmarks, its truth an affine."""
    stage = MemoryStage()
    return read_pair(stage, put_case(stage, "a", seed=1))


def transform(affine: np.ndarray) -> Transform:
    """An affine alone."""
    zero = np.zeros((3, *FIXED_GRID.shape), dtype=np.float32)
    return Transform(affine=affine, displacement_mm=zero, grid=FIXED_GRID)


def carried(pair: Pair, affine: np.ndarray) -> PairImages:
    """The pair's arrays after an affine."""
    one = transform(affine)
    return pair_images(pair, one, carry_moving(pair, one, CPU), hu_window=WINDOW, device=CPU)


def partners_of(every: int) -> LandmarkEstimate:
    """300 places, one of `every` with a partner 1.5 mm away, as in scans of two patients."""
    errors = np.where(np.arange(300) % every == 0, 1.5, np.nan)
    places = FIXED_GRID.to_world(np.full((300, 3), 8.0) + np.arange(300)[:, None] / 100)
    everywhere = np.ones(300, dtype=bool)
    return LandmarkEstimate(
        places_ras=places,
        partners_ras=places + errors[:, None],
        errors_mm=errors,
        deep=everywhere,
        shown=everywhere,
        aligned_mm=errors,
    )


@pytest.mark.parametrize(("every", "known"), [(20, False), (9, False), (8, True)])
def test_few_partners_tell_no_error(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, every: int, known: bool
) -> None:
    """Below 12 % their distances are those of how they are looked for; the share alone is told."""
    places = partners_of(every)
    monkeypatch.setattr(evaluation, "estimate_landmarks", lambda *_, **__: places)
    found = measure(pair, transform(breath(1)), carried(pair, breath(1)))
    assert found.metrics.etre_found_pct == pytest.approx(100 / every, abs=0.3)
    figures = (
        *(found.metrics.etre_mm, found.metrics.etre_p95_mm, found.metrics.etre_aligned_mm),
        *(found.evidence.etre_beyond_3mm_pct, found.evidence.etre_regions or None),
    )
    assert {figure is not None for figure in figures} == {known}
    assert found.evidence.etre_places == np.count_nonzero(places.found)


class TestMeasure:
    def test_truth_is_nearly_perfect(self, pair: Pair) -> None:
        """Under the map that made the case nothing is left but the coarse grid."""
        found = measure(pair, transform(breath(1)), carried(pair, breath(1))).metrics
        assert found.tre_mm == pytest.approx(0.0, abs=1e-3)
        assert found.tre_median_mm == pytest.approx(0.0, abs=1e-3)
        assert found.dice_score is not None
        assert found.dice_score > 0.9
        assert found.dice_score == found.dice_aligned
        before = measure(pair, transform(np.eye(4)), carried(pair, np.eye(4))).metrics
        assert found.ncc is not None
        assert found.ncc > 0.97
        for name in ("ncc", "ssim_score", "dice_score"):
            assert getattr(found, name) > getattr(before, name)
        assert (found.ncc_aligned, found.ssim_aligned) == (found.ncc, found.ssim_score)
        assert found.hd95_mm is not None
        assert before.hd95_mm is not None
        assert found.hd95_mm < before.hd95_mm
        assert found.fold_pct == 0.0
        assert found.jacobian_min == found.jacobian_max
        assert found.jacobian_max == pytest.approx(np.linalg.det(breath(1)[:3, :3]), rel=1e-5)
        assert found.sdlogj == pytest.approx(0.0, abs=1e-6)

    def test_errors_before_and_after(self, pair: Pair) -> None:
        """Initial is by the headers, aligned by `A`, the rest by all of `T`."""
        field = np.zeros((3, *FIXED_GRID.shape), dtype=np.float32)
        field[2] = 5.0
        affine = np.eye(4)
        affine[0, 3] = 3.0
        whole = Transform(affine=affine, displacement_mm=field, grid=FIXED_GRID)
        found = measure(pair, whole, carried(pair, affine)).metrics
        fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
        assert fixed is not None
        assert moving is not None
        gaps = {
            "tre_initial_mm": fixed - moving,
            "tre_aligned_mm": apply_affine(affine, fixed) - moving,
            "tre_mm": apply_affine(affine, fixed + np.array([0, 0, 5.0])) - moving,
        }
        for name, gap in gaps.items():
            expected = np.linalg.norm(gap, axis=1).mean()
            assert getattr(found, name) == pytest.approx(expected, rel=1e-5)
        errors = np.linalg.norm(gaps["tre_mm"], axis=1)
        assert found.tre_median_mm == pytest.approx(np.median(errors), rel=1e-5)
        assert found.tre_p95_mm == pytest.approx(np.percentile(errors, 95), rel=1e-5)

    def test_likeness_before_is_that_of_the_aligned_scan(self, pair: Pair) -> None:
        """What registration changes leaves correlation and SSIM before it alone."""
        images = carried(pair, breath(1))
        worse = dataclasses.replace(images, warped=images.warped[::-1])
        found = measure(pair, transform(breath(1)), worse).metrics
        right = measure(pair, transform(breath(1)), images).metrics
        assert (found.ncc_aligned, found.ssim_aligned) == (right.ncc_aligned, right.ssim_aligned)
        assert found.ncc != right.ncc
        assert found.ssim_score != right.ssim_score

    def test_share_outside_and_folds_are_percent(self, pair: Pair) -> None:
        """A quarter outside is 25 %; folds are counted in the lungs alone."""
        images = carried(pair, np.eye(4))
        outside = np.zeros(FIXED_GRID.shape, dtype=bool)
        outside[:5] = True
        jacobian = np.where(images.measured_in, 1.0, -1.0).astype(np.float32)
        images = dataclasses.replace(images, outside=outside, jacobian=jacobian)
        found = measure(pair, transform(np.eye(4)), images).metrics
        assert found.outside_fov_pct == 25.0
        assert found.fold_pct == 0.0
        images = dataclasses.replace(images, jacobian=-jacobian)
        assert measure(pair, transform(np.eye(4)), images).metrics.fold_pct == 100.0

    def test_without_masks_and_landmarks(self, pair: Pair) -> None:
        """Image metrics and folding are always there, the others are None.

        So are estimated errors: at 14 mm a voxel no place is distinctive.
        """
        bare = dataclasses.replace(pair, fixed_mask=None, moving_mask=None, landmarks_vox=None)
        found = measure(bare, transform(np.eye(4)), carried(bare, np.eye(4))).metrics
        missing = {
            f.name for f in dataclasses.fields(CaseMetrics) if getattr(found, f.name) is None
        }
        assert missing == {
            *("dice_score", "dice_initial", "dice_aligned", "hd95_mm"),
            *("tre_mm", "tre_median_mm", "tre_p95_mm", "tre_initial_mm", "tre_aligned_mm"),
            *("etre_mm", "etre_median_mm", "etre_p95_mm", "etre_aligned_mm", "etre_found_pct"),
        }

    def test_one_mask_gives_no_overlap(self, pair: Pair) -> None:
        """Dice takes two masks."""
        for name in ("fixed_mask", "moving_mask"):
            half = dataclasses.replace(pair, **{name: None})
            found = measure(half, transform(np.eye(4)), carried(half, np.eye(4))).metrics
            assert found.dice_score is found.dice_initial is found.hd95_mm is None

    def test_empty_fixed_mask_gives_no_overlap(self, pair: Pair) -> None:
        """A mask without lung judges nothing, and stops nothing."""
        assert pair.fixed_mask is not None
        empty = dataclasses.replace(pair, fixed_mask=np.zeros_like(pair.fixed_mask))
        found = measure(empty, transform(np.eye(4)), carried(empty, np.eye(4))).metrics
        assert found.dice_score is None
        assert found.ncc is not None

    def test_lungs_that_went_away(self, pair: Pair) -> None:
        """Where the transform leaves the moving scan, Dice is 0 and there is no distance."""
        far = np.eye(4)
        far[0, 3] = 1e4
        found = measure(pair, transform(far), carried(pair, far)).metrics
        assert found.dice_score == 0.0
        assert found.hd95_mm is None
        assert found.ncc is None
        assert found.outside_fov_pct == 100.0

    def test_a_cut_off_moving_scan_is_compared_where_it_shows(self, pair: Pair) -> None:
        """Lungs that the moving scan does not show are no lack of likeness; those it shows are."""
        box = (slice(None), slice(None), slice(0, 8))
        assert pair.moving_mask is not None
        grid = pair.moving.grid.cropped(box)
        half = dataclasses.replace(
            pair,
            moving=dataclasses.replace(pair.moving, data=pair.moving.data[box], grid=grid),
            moving_mask=pair.moving_mask[box],
            landmarks_vox=None,
        )
        found = measure(half, transform(breath(1)), carried(half, breath(1))).metrics
        whole = measure(pair, transform(breath(1)), carried(pair, breath(1))).metrics
        assert found.dice_score is not None
        assert whole.dice_score is not None
        assert found.outside_fov_pct > 30
        assert found.dice_score > whole.dice_score - 0.05
        for name in ("ncc", "ncc_aligned"):
            assert getattr(found, name) > getattr(whole, name) - 0.05
        wrong = breath(1)
        wrong[0, 3] += 40.0
        shifted = measure(half, transform(wrong), carried(half, wrong)).metrics
        assert shifted.dice_score is not None
        assert shifted.dice_score < found.dice_score - 0.1
