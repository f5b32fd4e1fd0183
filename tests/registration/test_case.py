"""One case from files to files: grids, scales, labels, and a field that others can use."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor, nn

from lungreg.config import Alignment, Config
from lungreg.errors import NotFoundError, StoreUnavailableError
from lungreg.formats.nifti import decode_nifti
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import Stored, decode_mask, decode_scan, encode_volume
from lungreg.learning.network import build_network
from lungreg.learning.prediction import network_estimate
from lungreg.records import (
    RESULT_COLUMNS,
    Case,
    CaseResult,
    ModelCard,
    RegistrationJob,
    Remarks,
    Split,
    Status,
    Verdict,
)
from lungreg.registration.case import register_case
from lungreg.registration.images import PairImages
from lungreg.registration.pair import Pair, read_pair
from lungreg.registration.register import Registered
from lungreg.registration.register import register_pair as register_with
from lungreg.spatial.displacement import jacobian_determinant, resample
from lungreg.spatial.geometry import apply_affine
from lungreg.stores.names import RunNames
from lungreg.testing import FaultyStage, MemoryStage
from tests.grids import from_sitk, to_sitk, voxels
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, put_case, scan, small_config

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
CONFIG = small_config()
NETWORK_GRID = FIXED_GRID.resized((16, 16, 16))
SEED = 2


class GivenField(nn.Module):
    """A network that always gives one displacement."""

    def __init__(self, field_vox: Tensor) -> None:
        super().__init__()
        self.field_vox = field_vox

    def forward(self, pair: Tensor) -> Tensor:
        """(B, 3, X, Y, Z) in network voxels."""
        return self.field_vox.expand(len(pair), -1, -1, -1, -1)


def true_network() -> nn.Module:
    """Knows the map that the case was made with."""
    index = voxels(NETWORK_GRID)
    moved = NETWORK_GRID.to_voxel(apply_affine(breath(SEED), NETWORK_GRID.to_world(index)))
    return GivenField(torch.from_numpy((moved - index).T.reshape(1, 3, 16, 16, 16)).float())


def waving_network() -> nn.Module:
    """A smooth field that is neither linear nor a fold."""
    x, y, z = (voxels(NETWORK_GRID) / 4.0).T
    waves = 0.6 * np.stack([np.sin(x + y), np.cos(z), np.sin(y - z)])
    return GivenField(torch.from_numpy(waves.reshape(1, 3, 16, 16, 16)).float())


class MeetingStage(FaultyStage):
    """Answers none of so many reads before all are asked, and likewise with writes."""

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


def make_job(config: Config = CONFIG, **changes: object) -> RegistrationJob:
    """A run."""
    values: dict[str, object] = {
        "run_id": "infer-1",
        "config": config,
        "card": ModelCard(name="lungs", version="3"),
        "splits": {},
        "alignment": "world",
        "provenance": {"model": "lungs 3"},
    }
    return RegistrationJob(**{**values, **changes})  # type: ignore[arg-type]


def register(
    stage: MemoryStage | FaultyStage, case: Case, network: nn.Module, **changes: object
) -> CaseResult:
    """Register a case without its page."""
    job = make_job(**changes)  # type: ignore[arg-type]
    estimate = network_estimate(network, job.config.preprocessing, CPU)
    return register_case(stage, case, estimate, job, device=CPU, render=None)


def register_pair(
    pair: Pair, network: nn.Module, config: Config = CONFIG, *, alignment: Alignment
) -> Registered:
    """Register a pair in memory."""
    estimate = network_estimate(network, config.preprocessing, CPU)
    hu_window = config.preprocessing.hu_window
    return register_with(pair, estimate, hu_window=hu_window, alignment=alignment, device=CPU)


def output(stage: MemoryStage, name: str, case_id: str = "a") -> bytes:
    """A file of the run."""
    return stage.read(RunNames("infer-1").case(case_id).file(name))


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


class TestImages:
    @pytest.mark.parametrize("full", [False, True])
    def test_lie_on_the_fixed_scans_own_grid(self, stage: MemoryStage, full: bool) -> None:
        """Shape and affine of image and label are the fixed file's, to the bit."""
        case = put_case(stage, "a", seed=SEED)
        register(
            stage,
            case,
            waving_network(),
            config=small_config(infer={"full_resolution_field": full}),
        )
        fixed = decode_nifti(stage.read(case.fixed))
        for name in ("registered_img.nii.gz", "registered_label.nii.gz"):
            found = decode_nifti(output(stage, name))
            np.testing.assert_array_equal(found.affine, fixed.affine)
            assert found.raw.shape == fixed.raw.shape
        _, grid = decode_displacement(output(stage, "displacement.nii.gz"))
        assert grid.same_as(FIXED_GRID if full else NETWORK_GRID)

    def test_offset_scan_keeps_its_scale(self, stage: MemoryStage) -> None:
        """HU + 1000 in, HU + 1000 out: type and values as stored, air outside the scan is 0."""
        plain = put_case(stage, "a", seed=SEED)
        shifted = put_case(stage, "b", seed=SEED, offset=1000.0)
        results = [register(stage, case, waving_network()) for case in (plain, shifted)]
        assert results[0].ncc is not None
        for name in ("ncc", "ssim_score", "dice_score", "outside_fov_pct"):
            assert getattr(results[1], name) == pytest.approx(getattr(results[0], name), abs=1e-3)
        images = [decode_nifti(output(stage, "registered_img.nii.gz", name)) for name in "ab"]
        assert images[1].raw.dtype == np.int16
        assert (images[1].slope, images[1].intercept) == (1.0, 0.0)
        gap = images[1].raw.astype(int) - images[0].raw.astype(int)
        assert np.abs(gap - 1000).max() <= 1
        pair = read_pair(stage, shifted)
        found = register_pair(pair, waving_network(), alignment="world")
        outside = resample(
            pair.moving.data, MOVING_GRID, FIXED_GRID, np.eye(4), found.dense_mm
        ).outside
        assert outside.any()
        assert (images[1].raw[outside] == 0).all()
        assert (images[0].raw[outside] == -1000).all()

    def test_slope_and_intercept_are_kept(self, stage: MemoryStage) -> None:
        """A file with a scale of its own gives one with the same scale."""
        case = put_case(stage, "a", seed=SEED)
        stored = Stored(dtype="uint16", slope=0.5, intercept=-1024.0)
        moving, _ = scan(MOVING_GRID, SEED, breath(SEED))
        stage.write(case.moving, encode_volume(moving, MOVING_GRID, stored))
        register(stage, case, waving_network())
        found = decode_nifti(output(stage, "registered_img.nii.gz"))
        assert found.raw.dtype == np.uint16
        assert (found.slope, found.intercept) == (0.5, -1024.0)
        values = decode_scan(output(stage, "registered_img.nii.gz")).data
        assert values.min() == -1000.0
        assert -1000 < np.median(values) < 100

    def test_labels_stay_whole(self, stage: MemoryStage) -> None:
        """Left and right lung are still left and right, and nothing between."""
        case = put_case(stage, "a", seed=SEED)
        register(stage, case, true_network())
        found = decode_mask(output(stage, "registered_label.nii.gz")).data
        _, truth = scan(FIXED_GRID, SEED)
        assert set(np.unique(found)) == {0, 1, 2}
        for label in (1, 2):
            both = 2 * ((found == label) & (truth == label)).sum()
            assert both / ((found == label).sum() + (truth == label).sum()) > 0.85


class TestField:
    @pytest.mark.parametrize("full", [False, True])
    def test_simpleitk_reproduces_the_image(
        self, stage: MemoryStage, tmp_path: Path, full: bool
    ) -> None:
        """ITK, with nothing but our files, gives our image to 1 HU inside the lungs."""
        case = put_case(stage, "a", seed=SEED)
        config = small_config(infer={"full_resolution_field": full})
        register(stage, case, waving_network(), config=config, alignment="masks")
        for name in (case.fixed, case.moving):
            stage.download(name, tmp_path / f"{name.replace('/', '_')}.nii.gz")
        (tmp_path / "field.nii.gz").write_bytes(output(stage, "displacement.nii.gz"))
        fixed, moving = (
            sitk.ReadImage(str(tmp_path / f"{role}_a.nii.gz"), sitk.sitkFloat32)
            for role in ("fixed", "moving")
        )
        field = sitk.ReadImage(str(tmp_path / "field.nii.gz"), sitk.sitkVectorFloat64)
        transform = sitk.DisplacementFieldTransform(field)
        theirs = from_sitk(sitk.Resample(moving, fixed, transform, sitk.sitkLinear, -1000.0))
        ours = decode_scan(output(stage, "registered_img.nii.gz")).data
        _, lungs = scan(FIXED_GRID, SEED)
        assert np.abs(ours - theirs)[lungs > 0].max() <= 1.0
        unmoved = from_sitk(
            sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, -1000.0)
        )
        assert np.abs(unmoved - theirs)[lungs > 0].max() > 50.0

    def test_json_beside_it_gives_the_composite(self, stage: MemoryStage) -> None:
        """Direction, frame and grids are told; no case id and no path is."""
        case = put_case(stage, "secret_17", seed=SEED)
        register(stage, case, waving_network())
        text = output(stage, "displacement.json", "secret_17").decode()
        facts = json.loads(text)
        assert facts["direction"] == "fixed to moving"
        assert facts["made"]["model"] == "lungs"
        assert facts["made"]["resolution"] == "as computed"
        assert "secret_17" not in text

    def test_dense_field_is_the_networks(self, stage: MemoryStage) -> None:
        """What the network says of its voxels is, in mm, the transform of the pair."""
        pair = read_pair(stage, put_case(stage, "a", seed=SEED))
        found = register_pair(pair, true_network(), alignment="world")
        nodes = NETWORK_GRID.to_world(voxels(NETWORK_GRID))
        expected = apply_affine(breath(SEED), nodes) - nodes
        mm = found.transform.displacement_mm.reshape(3, -1).T
        np.testing.assert_allclose(mm, expected, atol=1e-3)
        assert found.transform.grid.same_as(NETWORK_GRID)
        assert found.dense_mm.shape == (3, *FIXED_GRID.shape)


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
        beside = {"alignment", "alignment_warning", "lungs_from", "notes"}
        assert set(facts) == {*RESULT_COLUMNS, *beside}
        assert facts["tre_mm"] == found.tre_mm
        assert facts["verdict"] == found.verdict.value
        assert (facts["alignment"], facts["lungs_from"]) == ("masks", "mask")

    def test_page_is_drawn_where_asked(self, stage: MemoryStage) -> None:
        """The page gets result, pictures, provenance and reasons, and lies beside the images."""
        case = put_case(stage, "a", seed=SEED)
        seen: list[tuple[CaseResult, PairImages, Mapping[str, str], Remarks]] = []

        def render(
            result: CaseResult, images: PairImages, provenance: Mapping[str, str], remarks: Remarks
        ) -> str:
            seen.append((result, images, provenance, remarks))
            return "<html>ü</html>"

        job = make_job()
        estimate = network_estimate(true_network(), CONFIG.preprocessing, CPU)
        register_case(stage, case, estimate, job, device=CPU, render=render, attempt=2)
        assert output(stage, "qc.html").decode() == "<html>ü</html>"
        ((result, images, provenance, remarks),) = seen
        assert remarks.lungs_from == "mask"
        (reason,) = remarks.reasons
        assert reason == "Dice 0.90 is below 0.93"
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


def test_network_sees_the_same_scan_as_in_training(stage: MemoryStage) -> None:
    """In a run the network gets the fixed scan, then the moving one, windowed, in a batch of 1."""
    shown: list[Tensor] = []

    class Spy(GivenField):
        def forward(self, pair: Tensor) -> Tensor:
            shown.append(pair.clone())
            return super().forward(pair)

    pair = read_pair(stage, put_case(stage, "a", seed=SEED))
    register_pair(pair, Spy(torch.zeros(1, 3, 16, 16, 16)), alignment="world")
    (batch,) = shown
    assert batch.shape == (1, 2, 16, 16, 16)
    image = to_sitk(np.clip((pair.fixed_hu + 1000) / 1500, 0, 1), FIXED_GRID)
    target = to_sitk(np.zeros((16, 16, 16), dtype=np.float32), NETWORK_GRID)
    expected = from_sitk(sitk.Resample(image, target, sitk.Transform(), sitk.sitkLinear, 0.0))
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(batch[0, 0].numpy()[inner], expected[inner], atol=1e-3)
