"""One case from its files to its row: metrics, names, page, faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

from lungreg.errors import NotFoundError, StoreUnavailableError, UnsafeInputError
from lungreg.formats.volumes import decode_scan
from lungreg.learning.network import build_network
from lungreg.learning.prediction import network_estimate
from lungreg.records import (
    RESULT_COLUMNS,
    CaseResult,
    Remarks,
    Split,
    Status,
    Verdict,
)
from lungreg.registration.case import Attempt, register_case
from lungreg.registration.correspondences import LandmarkEstimate
from lungreg.registration.images import PairImages
from lungreg.registration.landmark_places import LandmarkPlaces
from lungreg.registration.pair import Estimated, Pair, read_pair
from lungreg.spatial.displacement import resample
from lungreg.spatial.geometry import FloatArray, affine_transform
from lungreg.testing import FaultyStage, MemoryStage
from tests.registration.registering import (
    CONFIG,
    CPU,
    SEED,
    GivenField,
    make_job,
    output,
    register,
    register_pair,
    true_network,
)
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, put_case, small_config

pytestmark = pytest.mark.usefixtures("one_thread")


class MeetingStage(FaultyStage):
    """Answers none of so many reads before all have started, and the same for writes."""

    def __init__(self, stage: MemoryStage, *, readers: int, writers: int) -> None:
        super().__init__(stage)
        self._readers = threading.Barrier(readers)
        self._writers = threading.Barrier(writers)

    def read(self, name: str) -> bytes:
        self._readers.wait(timeout=20)
        return self.stage.read(name)

    def write(self, name: str, data: bytes) -> None:
        self._writers.wait(timeout=20)
        self.stage.write(name, data)


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


class TestMetrics:
    def test_truth_brings_the_scans_together(self, stage: MemoryStage) -> None:
        """With the true map landmarks meet, lungs overlap, nothing folds."""
        case = put_case(stage, "a", seed=SEED)
        found = register(stage, case, true_network())
        assert found.tre_mm is not None
        assert found.tre_initial_mm is not None
        assert found.tre_mm < 1.0
        assert found.tre_initial_mm > 4.0
        assert found.tre_aligned_mm == pytest.approx(found.tre_initial_mm)
        assert found.dice_score is not None
        assert found.dice_initial is not None
        assert found.dice_score > found.dice_initial + 0.02
        assert found.fold_pct == 0.0
        expansion = np.linalg.det(breath(SEED)[:3, :3])
        assert found.jacobian_max == pytest.approx(expansion, rel=0.02)
        untrained = build_network(CONFIG.network).eval()
        before = register(stage, case, untrained)
        assert found.ncc is not None
        assert before.ncc is not None
        assert found.ncc > 0.97 > before.ncc + 0.05

    def test_untrained_network_changes_nothing(self, stage: MemoryStage) -> None:
        """From zero the result is the alignment's."""
        case = put_case(stage, "a", seed=SEED)
        network = build_network(CONFIG.network).eval()
        found = register(stage, case, network, alignment="masks")
        assert found.dice_score == found.dice_aligned
        assert found.tre_mm == pytest.approx(found.tre_aligned_mm)
        assert found.dice_aligned != found.dice_initial
        pair = read_pair(stage, case)
        registered = register_pair(pair, network, alignment="masks")
        assert registered.alignment.kind == "masks"
        affine = registered.transform.affine
        expected = resample(
            pair.moving.data, MOVING_GRID, FIXED_GRID, affine, outside_value=-1000.0
        )
        np.testing.assert_allclose(registered.image, expected.values, atol=1e-2)

    def test_without_masks_and_landmarks(self, stage: MemoryStage) -> None:
        """Two scans are enough: lungs are found by threshold, and that is said."""
        case = put_case(stage, "a", seed=SEED, masks=False, points=False)
        found = register(stage, case, true_network())
        assert found.dice_score is found.tre_mm is found.output_label is None
        assert found.ncc is not None
        assert found.sdlogj is not None
        assert json.loads(output(stage, "metrics.json"))["lungs_from"] == "threshold"
        assert not stage.exists("runs/infer-1/cases/a/registered_label.nii.gz")

    def test_case_that_went_away_fails(self, stage: MemoryStage) -> None:
        """A field that leaves the moving scan gives a result, and the verdict that it is none."""
        case = put_case(stage, "a", seed=SEED)
        far = GivenField(torch.full((1, 3, 16, 16, 16), 500.0))
        found = register(stage, case, far)
        assert found.verdict is Verdict.FAIL
        assert found.outside_fov_pct == 100.0
        assert found.reasons is not None
        assert json.loads(output(stage, "metrics.json"))["reasons"] == found.reasons.split("; ")
        assert (decode_scan(output(stage, "registered_img.nii.gz")).data == -1000.0).all()


class TestResult:
    def test_names_what_lies_on_the_stage(self, stage: MemoryStage) -> None:
        """A success with times, model, verdict, and outputs that are there."""
        case = put_case(stage, "a", seed=SEED)
        found = register(stage, case, true_network(), splits={case.fingerprint: Split.VAL})
        assert (found.run_id, found.case_id) == ("infer-1", "a")
        assert (found.status, found.split) == (Status.SUCCESS, Split.VAL)
        assert (found.model_name, found.model_version) == ("lungs", "3")
        assert found.error_code is found.error_message is None
        for name in (found.output_image, found.output_label, found.output_transform):
            assert name is not None
            assert stage.exists(name)
        for seconds in (found.read_s, found.compute_s, found.write_s):
            assert seconds is not None
            assert seconds >= 0.0
        assert found.started_at <= found.finished_at
        assert register(stage, case, true_network()).split is Split.UNSEEN

    def test_metrics_file_has_the_row_and_more(self, stage: MemoryStage) -> None:
        """The JSON beside the images has every column, and where `A` and the lungs are from."""
        case = put_case(stage, "a", seed=SEED)
        found = register(stage, case, true_network(), alignment="masks")
        facts = json.loads(output(stage, "metrics.json"))
        beside = {"alignment", "alignment_warning", "lungs_from", "notes", "further_evidence"}
        assert set(facts) == {*RESULT_COLUMNS, *beside}
        assert facts["tre_mm"] == found.tre_mm
        assert facts["verdict"] == found.verdict.value
        assert (facts["alignment"], facts["lungs_from"]) == ("masks", "mask")

    def test_page_is_drawn_where_asked(self, stage: MemoryStage) -> None:
        """The page gets result, pictures, provenance and reasons, and lies beside the images."""
        case = put_case(stage, "a", seed=SEED)
        seen: list[tuple[CaseResult, PairImages, Mapping[str, str], Remarks]] = []
        marked: list[LandmarkEstimate | None] = []

        def render(
            result: CaseResult,
            images: PairImages,
            provenance: Mapping[str, str],
            remarks: Remarks,
            places: LandmarkEstimate | None,
            landmarks: LandmarkPlaces | None,
            report: str | None,
            rules: Sequence[str],
        ) -> str:
            seen.append((result, images, provenance, remarks))
            marked.append(places)
            assert landmarks is not None
            assert landmarks.errors_mm.mean() == result.tre_mm
            assert (report, len(rules) > 40) == ("../../report.html", True)
            return "<html>ü</html>"

        job = make_job()
        estimate = network_estimate(true_network(), CONFIG.preprocessing, CPU)
        second = Attempt(number=2)
        register_case(stage, case, estimate, job, device=CPU, render=render, attempt=second)
        assert output(stage, "qc.html").decode() == "<html>ü</html>"
        ((result, images, provenance, remarks),) = seen
        assert remarks.lungs_from == "mask"
        (reason,) = remarks.reasons
        assert reason.startswith("Dice, where the error is within the limits of a pass, 0.90 is")
        (places,) = marked
        assert places is not None
        assert places.errors_mm.shape == places.places_ras.shape[:1]
        assert (result.case_id, result.attempt) == ("a", 2)
        assert provenance == {"model": "lungs 3"}
        assert images.grid.same_as(FIXED_GRID)
        for image in (images.fixed, images.aligned, images.warped, images.jacobian):
            assert image.shape == FIXED_GRID.shape
            assert image.dtype == np.float32
        assert 0 <= images.warped.min() < images.warped.max() <= 1
        register_case(stage, put_case(stage, "b"), estimate, job, device=CPU, render=None)
        assert not stage.exists("runs/infer-1/cases/b/qc.html")

    def test_files_of_a_case_travel_at_once(self, stage: MemoryStage) -> None:
        """On a stage elsewhere a case waits for its slowest file, not for each after the other."""
        case = put_case(stage, "a", seed=SEED)
        register(MeetingStage(stage, readers=5, writers=5), case, true_network())
        assert len(stage.list("runs/infer-1/cases/a")) == 5

    def test_missing_and_unwritable_files_are_errors(self, stage: MemoryStage) -> None:
        """The caller, who knows the other cases, decides what to do about them."""
        case = put_case(stage, "a", seed=SEED)
        with pytest.raises(StoreUnavailableError):
            register(FaultyStage(stage, full_on={2}), case, true_network())
        stage.delete(case.moving)
        with pytest.raises(NotFoundError):
            register(stage, case, true_network())

    def test_size_limit_of_the_configuration_is_applied(self, stage: MemoryStage) -> None:
        """A scan of more voxels than `ingest.max_voxels` is refused before it is unpacked."""
        case = put_case(stage, "a", seed=SEED)
        config = small_config(ingest={"max_voxels": FIXED_GRID.size - 1})
        with pytest.raises(UnsafeInputError, match=r"ingest\.max_voxels"):
            register(stage, case, true_network(), config=config)


class TestTurn:
    def test_it_is_held_while_a_case_is_computed_alone(self, stage: MemoryStage) -> None:
        """Not while it is read and written; the row's seconds count no waiting."""
        turn, held = threading.Lock(), dict[str, bool]()

        class Watching(FaultyStage):
            def read(self, name: str) -> bytes:
                held["read"] = turn.locked()
                return self.stage.read(name)

            def write(self, name: str, data: bytes) -> None:
                held["written"] = turn.locked()
                self.stage.write(name, data)

        def estimate(pair: Pair, affine: FloatArray) -> Estimated:
            held["computed"] = turn.locked()
            return Estimated(transform=affine_transform(affine, pair.fixed.grid))

        case = put_case(stage, "a", seed=SEED)
        turn.acquire()
        threading.Timer(1.0, turn.release).start()
        started = time.perf_counter()
        attempt = Attempt(turn=turn)
        row = register_case(
            Watching(stage), case, estimate, make_job(), device=CPU, render=None, attempt=attempt
        )
        assert time.perf_counter() - started > 1.0
        assert held == {"read": True, "computed": True, "written": False}
        assert not turn.locked()
        assert max(row.read_s, row.compute_s, row.write_s) < 1.0
