"""One pair from its files: what is written, read by other tools, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

import lungreg
from lungreg.config import parse_config
from lungreg.errors import DataError, MissingFileError, NotFoundError, ResourceError
from lungreg.formats.transforms import decode_composite, decode_displacement
from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.formats.volumes import decode_scan, read_volume
from lungreg.records import Status
from lungreg.registration.refinement import plan_for
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Transform
from lungreg.workflows.infer import infer
from tests.formats.volumes.dicom.series_files import write_dicom
from tests.site import CASES, Site, run

pytestmark = pytest.mark.slow

WRITTEN = {
    *("registered_img.nii.gz", "registered_label.nii.gz", "displacement.nii.gz"),
    *("displacement.json", "metrics.json", "qc.html", "inputs.json"),
    *("transform.h5", "transform_inverse.h5", "transform.json"),
}
FAST = lungreg.RegisterSettings(preset="fast", device="cpu")


def pair_files(site: Site, case_id: str = CASES[5], *, masks: bool = True) -> lungreg.PairFiles:
    """The files of a case of the cohort."""
    scans, lungs = site.scans, site.folder / "training" / "lungMasks"
    return lungreg.PairFiles(
        fixed=scans / f"{case_id}_exp.nii.gz",
        moving=scans / f"{case_id}_insp.nii.gz",
        fixed_mask=lungs / f"{case_id}_exp.nii.gz" if masks else None,
        moving_mask=lungs / f"{case_id}_insp.nii.gz" if masks else None,
        landmarks=site.folder / "training" / "keypoints" / f"{case_id}.csv",
    )


@pytest.fixture(scope="module")
def events() -> list[lungreg.Progress]:
    """What was told while `done` was made."""
    return []


@pytest.fixture(scope="module")
def done(
    cohort: Path, tmp_path_factory: pytest.TempPathFactory, events: list[lungreg.Progress]
) -> lungreg.RegisterReport:
    """A case registered with the fast preset."""
    out = tmp_path_factory.mktemp("registered")
    return lungreg.register(
        pair_files(Site(cohort)), out, preset="fast", device="cpu", on_progress=events.append
    )


def test_every_step_is_told(done: lungreg.RegisterReport, events: list[lungreg.Progress]) -> None:
    """In order, each to its end; the optimiser's steps with the loss, and levels reduce it."""
    assert done.folder.is_dir()
    steps = list(dict.fromkeys(event.step for event in events))
    levels = [name for name in steps if name.startswith("level ")]
    count = plan_for("fast").level_count
    assert [name.split(",")[0] for name in levels] == [
        f"level {k} of {count}" for k in range(1, count + 1)
    ]
    assert steps == [
        *("reading", "lungs", "alignment", "transform"),
        *levels,
        *("measures", "inverse", "writing"),
    ]
    for name in steps:
        told = [event for event in events if event.step == name]
        counts = [event.done for event in told]
        first = 1 if name in levels else 0
        assert counts == list(range(first, (told[0].total or 0) + 1))
        assert all((event.loss is not None) == (name in levels) for event in told)
    losses = [event.loss or 0.0 for event in events if event.step == levels[0]]
    assert min(losses) < losses[0]


def test_series_of_dicom_give_what_nifti_gives(cohort: Path, tmp_path: Path) -> None:
    """Two folders of slices, without masks: the same alignment and image, by the command itself."""
    files = pair_files(Site(cohort), masks=False)
    for role in ("fixed", "moving"):
        volume = read_volume(getattr(files, role))
        write_dicom(tmp_path / role, volume.grid, volume.data.astype(np.int16))
    scans = {
        "dicom": (tmp_path / "fixed", tmp_path / "moving"),
        "nifti": (files.fixed, files.moving),
    }
    fields, images = [], []
    for name, (fixed, moving) in scans.items():
        out = tmp_path / name
        said = run("register", str(fixed), str(moving), "-o", str(out), "--no-refine")
        assert said.code == 0, said.err
        fields.append(decode_displacement((out / "displacement.nii.gz").read_bytes()))
        images.append(decode_scan((out / "registered_img.nii.gz").read_bytes()).data)
    assert fields[0][1].same_as(fields[1][1], tolerance_mm=0.01)
    np.testing.assert_allclose(fields[0][0], fields[1][0], atol=0.05)
    np.testing.assert_allclose(images[0], images[1], atol=1)


def test_writes_what_infer_writes_and_the_transforms(done: lungreg.RegisterReport) -> None:
    """Everything in one folder; the landmarks come nearer; nothing folds."""
    assert {path.name for path in done.folder.iterdir()} == WRITTEN
    row, facts = done.result, json.loads((done.folder / "metrics.json").read_text())
    assert row.status is Status.SUCCESS
    assert row.tre_mm is not None
    assert row.tre_initial_mm is not None
    assert row.tre_mm < 0.7 * row.tre_initial_mm
    assert row.fold_pct == 0.0
    assert 0 < facts["compute_s"] <= facts["wall_s"]
    assert facts["tre_mm"] == row.tre_mm
    assert "CASE" not in (done.folder / "displacement.json").read_text().upper().replace(
        "CASES", ""
    )


def test_simpleitk_gives_our_image(done: lungreg.RegisterReport, cohort: Path) -> None:
    """Through transform.h5 within 1 HU inside the lungs, and through the total displacement."""
    files = pair_files(Site(cohort))
    fixed, moving = (
        sitk.ReadImage(str(path), sitk.sitkFloat32) for path in (files.fixed, files.moving)
    )
    field = sitk.ReadImage(str(done.folder / "displacement.nii.gz"), sitk.sitkVectorFloat64)
    composite = sitk.ReadTransform(str(done.folder / "transform.h5"))
    ours = decode_scan((done.folder / "registered_img.nii.gz").read_bytes()).data
    lungs = read_volume(files.fixed_mask, mask=True).data > 0  # type: ignore[arg-type]
    for transform in (composite, sitk.DisplacementFieldTransform(field)):
        theirs = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, -1000.0)
        gap = np.abs(sitk.GetArrayFromImage(theirs).T - ours)[lungs]
        assert gap.max() <= 1.0


def test_all_files_say_the_same_transform(done: lungreg.RegisterReport, cohort: Path) -> None:
    """Composite, total displacement and inverse carry the landmarks alike."""
    files = pair_files(Site(cohort))
    points = read_volume(files.fixed).grid.to_world(
        np.loadtxt(files.landmarks or "", delimiter=",")[:, :3]
    )
    forth = decode_composite((done.folder / "transform.h5").read_bytes())
    back = decode_composite((done.folder / "transform_inverse.h5").read_bytes())
    total, grid = decode_displacement((done.folder / "displacement.nii.gz").read_bytes())
    plain = Transform(affine=np.eye(4), displacement_mm=total, grid=grid)
    moved = transform_points(forth, points)
    assert np.abs(transform_points(plain, points) - moved).max() < STEP_MM
    returned = np.linalg.norm(transform_points(back, moved) - points, axis=1)
    assert returned.max() < 0.1


def test_evaluate_reads_the_folder(done: lungreg.RegisterReport) -> None:
    """What `evaluate` finds in the folder is what `register` said."""
    (case,) = lungreg.evaluate(lungreg.Config(), str(done.folder)).cases
    assert case.tre_mm == pytest.approx(done.result.tre_mm, abs=1e-3)
    assert case.dice_score == pytest.approx(done.result.dice_score, abs=1e-4)
    assert case.fold_pct == 0.0


HEAVY = ("monai", "mlflow", "ray", "snowflake.snowpark")
COMMAND = f"""
import atexit, sys
from lungreg.cli import main
atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr))
main()
"""


def test_command_takes_other_formats_and_imports_nothing_heavy(
    cohort: Path, tmp_path: Path
) -> None:
    """MHA and NRRD in, lungs by threshold, one JSON document out.

    Neither MONAI nor MLflow nor Ray: a pair needs seconds, their imports take as long.
    """
    files = pair_files(Site(cohort), masks=False)
    fixed, moving = tmp_path / "exp scan.mha", tmp_path / "insp.nrrd"
    sitk.WriteImage(sitk.ReadImage(str(files.fixed)), str(fixed))
    sitk.WriteImage(sitk.ReadImage(str(files.moving)), str(moving))
    options = ("--preset", "fast", "--device", "cpu", "--landmarks", str(files.landmarks))
    command = ("register", str(fixed), str(moving), "-o", str(tmp_path / "out"), *options)
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMAND, *command, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stderr.splitlines()[-1] == "[]"
    document = json.loads(said.stdout)
    assert document["result"]["tre_mm"] < document["result"]["tre_initial_mm"]
    assert document["result"]["dice_score"] is None
    facts = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert facts["lungs_from"] == "threshold"


def test_alignment_alone(cohort: Path, tmp_path: Path) -> None:
    """`--no-refine` without a model gives the initial alignment."""
    settings = lungreg.RegisterSettings(refine=False, alignment="masks", device="cpu")
    found = lungreg.register(pair_files(Site(cohort)), tmp_path, settings).result
    assert found.tre_mm == pytest.approx(found.tre_aligned_mm, abs=1e-3)
    assert found.dice_score == found.dice_aligned


def test_the_configuration_says_what_no_setting_does(cohort: Path, tmp_path: Path) -> None:
    """Its preset, alignment, seed and switch of the optimiser; a setting wins."""
    alone = parse_config({"refine": {"enabled": False}, "infer": {"alignment": "grid"}, "seed": 5})
    files = pair_files(Site(cohort))

    def facts(name: str, **settings: Any) -> dict[str, Any]:
        lungreg.register(files, tmp_path / name, config=alone, device="cpu", **settings)
        made: dict[str, Any] = json.loads((tmp_path / name / "metrics.json").read_text())["made"]
        return made

    assert facts("config") == {"alignment": "grid", "seed": 5}
    assert (
        "not optimised"
        in json.loads((tmp_path / "config" / "metrics.json").read_text())["notes"][-1]
    )
    # A preset asks for the optimiser.
    assert facts("preset", preset="fast", seed=7)["refinement"] == "fast"
    chosen = facts("setting", refine=True, preset="fast", alignment="world", seed=6)
    assert chosen == {"alignment": "world", "seed": 6, "refinement": "fast"}


def test_a_model_is_where_it_starts(trained: Site, tmp_path: Path) -> None:
    """The network alone gives what `infer` gives; refined it is better."""
    (row,) = infer(trained.config(f'infer.cases=["{CASES[5]}"]')).results
    files, config = pair_files(trained), trained.config()
    model = "lung_ct_registration:1"
    alone = lungreg.RegisterSettings(model=model, refine=False, alignment="masks", device="cpu")
    network = lungreg.register(files, tmp_path / "network", alone, config=config).result
    assert network.tre_mm == pytest.approx(row.tre_mm, abs=0.02)
    both = lungreg.RegisterSettings(model=model, preset="fast", alignment="masks", device="cpu")
    refined = lungreg.register(files, tmp_path / "both", both, config=config).result
    assert (refined.model_name, refined.model_version) == ("lung_ct_registration", "1")
    assert refined.tre_mm is not None
    assert network.tre_mm is not None
    assert refined.tre_mm < network.tre_mm


def test_refinement_is_a_switch_of_infer(trained: Site) -> None:
    """With `refine.enabled` the cohort's cases are optimised after the network."""
    case = f'infer.cases=["{CASES[5]}"]'
    (plain,) = infer(trained.config(case)).results
    (refined,) = infer(trained.config(case, "refine.enabled=true", "refine.preset=fast")).results
    assert plain.tre_mm is not None
    assert refined.tre_mm is not None
    assert refined.tre_mm < plain.tre_mm
    assert refined.fold_pct == 0.0


class TestRefusals:
    def test_a_mask_of_another_grid(self, cohort: Path, tmp_path: Path) -> None:
        """And nothing is written."""
        files = pair_files(Site(cohort))
        wrong = lungreg.PairFiles(
            fixed=files.fixed, moving=files.moving, fixed_mask=_other_grid(files, tmp_path)
        )
        with pytest.raises(DataError, match="lies on its scan's grid"):
            lungreg.register(wrong, tmp_path / "out", FAST)
        assert not (tmp_path / "out").exists()

    def test_missing_scan_model_and_device(self, trained: Site, tmp_path: Path) -> None:
        """Each in words."""
        files = pair_files(trained)
        gone = lungreg.PairFiles(fixed=tmp_path / "none.nii.gz", moving=files.moving)
        with pytest.raises(MissingFileError):
            lungreg.register(gone, tmp_path / "out", FAST)
        other = lungreg.RegisterSettings(model="lung_ct_registration:99")
        with pytest.raises(NotFoundError):
            lungreg.register(files, tmp_path / "out", other, config=trained.config())
        with pytest.raises(ResourceError):
            lungreg.register(files, tmp_path / "out", lungreg.RegisterSettings(device="cuda:17"))

    def test_command_says_it_in_a_line(self, cohort: Path, tmp_path: Path) -> None:
        """No traceback, exit code 1."""
        files = pair_files(Site(cohort))
        broken = tmp_path / "broken.nii.gz"
        broken.write_bytes(files.moving.read_bytes()[:2000])
        said = run("register", str(files.fixed), str(broken), "-o", str(tmp_path / "out"))
        assert said.code == 1
        assert "Traceback" not in said.err
        assert "broken.nii.gz" in said.err


def _other_grid(files: lungreg.PairFiles, folder: Path) -> Path:
    mask = sitk.ReadImage(str(files.fixed_mask))
    mask.SetOrigin((0.0, 0.0, 500.0))
    sitk.WriteImage(mask, str(folder / "mask.nii.gz"))
    return folder / "mask.nii.gz"
