"""One pair measured from its scans and a transform alone, against truths that are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lungreg.config import Quality
from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case, CaseEvaluation, CaseMetrics, Split, Verdict
from lungreg.registration.evaluation import measure
from lungreg.registration.images import carry_moving, pair_images
from lungreg.registration.pair import Pair, read_pair
from lungreg.registration.reevaluation import inverse_consistency, reevaluate
from lungreg.sources.simulation import SimulatedPair, simulate_pair
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Transform
from lungreg.testing import MemoryStage
from tests.grids import voxels
from tests.small_cases import FIXED_GRID, breath, put_case

pytestmark = pytest.mark.usefixtures("one_thread")

WINDOW = (-1000.0, 500.0)
TRUTH = breath(1)


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A case with masks and landmarks, its truth an affine."""
    stage = MemoryStage()
    return read_pair(stage, put_case(stage, "a", seed=1))


@pytest.fixture(scope="module")
def breathing() -> SimulatedPair:
    """A chest with lungs that a threshold finds."""
    return simulate_pair(1, 0, shape=(48, 40, 48), spacing_mm=(6.0, 6.0, 6.0))


@pytest.fixture(scope="module")
def bare(breathing: SimulatedPair) -> Pair:
    """The chest, without masks and landmarks."""
    fixed, moving = (
        Volume(data=data.astype(np.float32), grid=grid, stored=Stored(dtype="int16"))
        for data, grid in (
            (breathing.fixed, breathing.fixed_grid),
            (breathing.moving, breathing.moving_grid),
        )
    )
    return Pair(case=Case(case_id="b", fixed="f", moving="m"), fixed=fixed, moving=moving)


def affine_only(affine: np.ndarray) -> Transform:
    """An affine alone."""
    zero = np.zeros((3, *FIXED_GRID.shape), dtype=np.float32)
    return Transform(affine=affine, displacement_mm=zero, grid=FIXED_GRID)


def true_motion(breathing: SimulatedPair) -> Transform:
    """The motion that the chest was made with."""
    field = breathing.displacement_mm.astype(np.float32)
    return Transform(affine=np.eye(4), displacement_mm=field, grid=breathing.fixed_grid)


def measured(pair: Pair, transform: Transform, **options: object) -> CaseEvaluation:
    """Under the default thresholds."""
    return reevaluate(pair, transform, hu_window=WINDOW, thresholds=Quality(), **options)  # type: ignore[arg-type]


class TestFigures:
    def test_what_both_report_is_the_same(self, pair: Pair) -> None:
        """The metrics of a registration and of its evaluation are one function's."""
        transform = affine_only(TRUTH)
        carried = carry_moving(pair, transform, CPU)
        images = pair_images(pair, transform, carried, hu_window=WINDOW, device=CPU)
        expected = dataclasses.asdict(measure(pair, transform, images).metrics)
        found = dataclasses.asdict(measured(pair, transform))
        assert {name: found[name] for name in expected} == expected

    def test_truth(self, pair: Pair) -> None:
        """Nothing is left of the error, volumes agree, and the inverse is exact."""
        found = measured(pair, affine_only(TRUTH), split=Split.TEST)
        assert (found.case_id, found.split) == ("a", Split.TEST)
        assert found.landmarks == 20
        assert found.tre_max_mm == pytest.approx(0.0, abs=1e-3)
        assert found.inverse_mean_mm == pytest.approx(0.0, abs=1e-4)
        assert found.inverse_max_mm == pytest.approx(0.0, abs=1e-3)
        assert found.volume_ratio_jacobian == pytest.approx(np.linalg.det(TRUTH), rel=1e-4)
        assert found.volume_ratio_lungs == pytest.approx(np.linalg.det(TRUTH), rel=0.1)
        assert found.fixed_lungs_ml == pytest.approx(
            np.count_nonzero(pair.fixed_mask) * FIXED_GRID.voxel_volume_mm3 / 1000
        )
        assert (found.fixed_lungs_from, found.moving_lungs_from) == ("mask", "mask")
        assert found.dice_segmented is None
        assert found.residual is not None
        assert found.residual < 0.3

    def test_spread_of_the_landmarks(self, pair: Pair) -> None:
        """Mean, median, 95 % and largest are of the same errors."""
        found = measured(pair, affine_only(np.eye(4)))
        fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
        assert fixed is not None
        assert moving is not None
        errors = np.linalg.norm(fixed - moving, axis=1)
        assert found.tre_mm == pytest.approx(errors.mean(), rel=1e-5)
        assert found.tre_p95_mm == pytest.approx(np.percentile(errors, 95), rel=1e-5)
        assert found.tre_max_mm == pytest.approx(errors.max(), rel=1e-5)

    def test_a_transform_that_leaves_the_scan(self, pair: Pair) -> None:
        """There is no image left to compare, and no error either."""
        away = np.eye(4)
        away[0, 3] = 5000.0
        found = measured(pair, affine_only(away))
        assert found.residual is None
        assert found.inverse_mean_mm is None
        assert found.outside_fov_pct == 100.0
        assert found.verdict is Verdict.FAIL
        assert "an image is constant inside the lungs" in found.reasons

    @pytest.mark.parametrize("name", ["fixed_mask", "moving_mask"])
    def test_an_empty_mask_is_no_mask(self, pair: Pair, name: str) -> None:
        """Its lungs are looked for by threshold."""
        empty = dataclasses.replace(pair, **{name: np.zeros_like(getattr(pair, name))})
        found = measured(empty, affine_only(TRUTH))
        side = found.fixed_lungs_from if name == "fixed_mask" else found.moving_lungs_from
        assert side != "mask"


class TestInverseConsistency:
    def test_a_smooth_transform_has_an_inverse_however_wrong(self, pair: Pair) -> None:
        """A shift by 30 mm comes back to the point: this measure does not see it."""
        wrong = np.eye(4)
        wrong[:3, 3] = (30.0, 0.0, 0.0)
        trip = inverse_consistency(affine_only(wrong), np.array([[1.0, 2.0, 3.0]]))
        assert trip.max_mm == pytest.approx(0.0, abs=1e-6)

    def test_folds_show(self) -> None:
        """Where `x - 2 x` turns space around inside a slab, points come back elsewhere."""
        index = voxels(FIXED_GRID)
        column = index[:, 0] - 9.5
        tooth = np.where(np.abs(column) < 2, -2.0 * column, -np.sign(column) * 4.0)
        u = tooth[:, None] * FIXED_GRID.affine[:3, 0]
        field = u.T.reshape(3, *FIXED_GRID.shape).astype(np.float32)
        folded = Transform(affine=np.eye(4), displacement_mm=field, grid=FIXED_GRID)
        points = FIXED_GRID.to_world(np.array([[9.0, 8.0, 9.0], [9.8, 8.0, 9.0], [10.5, 8, 9]]))
        assert inverse_consistency(folded, points).max_mm > 5.0

    def test_a_backward_registration_is_asked_instead(self, pair: Pair) -> None:
        """One that disagrees by 3 mm gives 3 mm everywhere."""
        back = np.linalg.inv(TRUTH)
        back[2, 3] += 3.0
        found = measured(pair, affine_only(TRUTH), backward=affine_only(back))
        assert found.inverse_mean_mm == pytest.approx(3.0, abs=1e-3)
        assert found.inverse_max_mm == pytest.approx(3.0, abs=1e-3)


class TestWithoutMasksAndLandmarks:
    def test_truth_passes(self, bare: Pair, breathing: SimulatedPair) -> None:
        """On lungs by threshold, marked as such and never under the names of given masks."""
        found = measured(bare, true_motion(breathing))
        assert (found.fixed_lungs_from, found.moving_lungs_from) == ("threshold", "threshold")
        assert found.dice_score is found.hd95_mm is found.tre_mm is None
        assert found.dice_segmented is not None
        assert found.dice_segmented > 0.93
        assert found.hd95_segmented_mm is not None
        assert found.hd95_segmented_mm < 15
        assert found.volume_ratio_lungs == pytest.approx(found.volume_ratio_jacobian, rel=0.1)
        assert found.verdict is Verdict.PASS, found.reasons

    def test_lungs_that_padding_hides_are_not_compared(
        self, bare: Pair, breathing: SimulatedPair
    ) -> None:
        """A circle through the moving lungs, as a small reconstruction leaves it."""
        middle = np.reshape(bare.moving.data.shape, (3, 1, 1, 1)) / 2
        x, y, _ = np.indices(bare.moving.data.shape) - middle
        data = np.where(np.hypot(x, y) * 6.0 > 86, np.float32(-3024), bare.moving.data)
        circled = dataclasses.replace(bare, moving=dataclasses.replace(bare.moving, data=data))
        found = measured(circled, true_motion(breathing))
        assert found.lungs_outside_pct is not None
        assert found.lungs_outside_pct > 15
        assert found.dice_segmented is not None
        assert found.dice_segmented > 0.92
        assert found.hd95_segmented_mm is not None
        assert found.hd95_segmented_mm < 15

    def test_a_lost_registration_does_not(self, bare: Pair, breathing: SimulatedPair) -> None:
        """Moved by 25 mm the images no longer fit, and the reasons say so."""
        good = true_motion(breathing)
        away = np.eye(4)
        away[:3, 3] = (10.0, 10.0, 20.0)
        found = measured(bare, dataclasses.replace(good, affine=away))
        assert found.verdict is Verdict.FAIL
        assert any("residual image difference" in reason for reason in found.reasons)
        assert any("segmented by threshold" in reason for reason in found.reasons)

    def test_one_mask_is_used_and_the_other_made(
        self, bare: Pair, breathing: SimulatedPair
    ) -> None:
        """The overlap then is of a given and a segmented lung."""
        half = dataclasses.replace(bare, fixed_mask=breathing.fixed_mask)
        found = measured(half, true_motion(breathing))
        assert (found.fixed_lungs_from, found.moving_lungs_from) == ("mask", "threshold")
        assert found.dice_score is None
        assert found.dice_segmented is not None
        assert found.dice_segmented > 0.9

    def test_scans_without_lungs(self, pair: Pair) -> None:
        """Everything counts, and there is no volume or overlap to report."""
        solid = dataclasses.replace(
            pair,
            fixed=dataclasses.replace(pair.fixed, data=np.abs(pair.fixed.data) / 50),
            moving=dataclasses.replace(pair.moving, data=np.abs(pair.moving.data) / 50),
            fixed_mask=None,
            moving_mask=None,
            landmarks_vox=None,
        )
        found = measured(solid, affine_only(TRUTH))
        assert (found.fixed_lungs_from, found.moving_lungs_from) == ("whole scan", "whole scan")
        assert found.fixed_lungs_ml is found.volume_ratio_lungs is found.dice_segmented is None
        assert isinstance(found, CaseMetrics)
        assert found.ncc is not None
