"""Evaluate: the same figures from the files as the run wrote, and those of other tools' files."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import lungreg
from lungreg.config import Config
from lungreg.errors import ConfigError, DataError, MissingFileError, RunError, UnreadableFileError
from lungreg.formats.nifti import encode_nifti
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.transforms.fields import parse_meaning
from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.records import CaseMetrics, Status, Verdict
from lungreg.workflows.evaluate import evaluate
from lungreg.workflows.infer import infer
from tests.grids import affine_to_sitk
from tests.registration.refinement.breathing_pairs import simulated
from tests.site import CASES, Site

pytestmark = pytest.mark.usefixtures("one_thread")

WRITTEN = [field.name for field in dataclasses.fields(CaseMetrics)]


@pytest.fixture(scope="module")
def done(_trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, str]:
    """A cohort of which two cases have been registered."""
    folder = tmp_path_factory.mktemp("evaluate") / "site"
    site = Site(Path(shutil.copytree(_trained, folder)))
    report = infer(site.config(f"infer.cases=[{CASES[0]}, {CASES[5]}]"))
    return site, report.run_id


@pytest.fixture
def site(done: tuple[Site, str], tmp_path: Path) -> tuple[Site, str]:
    """A copy to spoil."""
    return Site(Path(shutil.copytree(done[0].folder, tmp_path / "site"))), done[1]


def case_folder(site: Site, run_id: str, case_id: str) -> Path:
    """Where a run keeps a case, on this machine."""
    return site.folder / "stage" / "runs" / run_id / "cases" / case_id


def case_files(site: Site, case_id: str) -> dict[str, Path]:
    """The files of a case by role."""
    folder = site.folder / "training"
    return {
        "fixed": folder / "scans" / f"{case_id}_exp.nii.gz",
        "moving": folder / "scans" / f"{case_id}_insp.nii.gz",
        "fixed_mask": folder / "lungMasks" / f"{case_id}_exp.nii.gz",
        "moving_mask": folder / "lungMasks" / f"{case_id}_insp.nii.gz",
        "landmarks": folder / "keypoints" / f"{case_id}.csv",
    }


class TestRun:
    @pytest.mark.parametrize(("full", "tolerance"), [(False, STEP_MM), (True, 1e-2)])
    def test_the_row_that_infer_wrote_comes_again(
        self, trained: Site, full: bool, tolerance: float
    ) -> None:
        """From the files alone, to the rounding of displacements.

        Between voxels a field on another grid is another.

        Estimated errors are those of single places, some of which lie where the two differ most.
        In other cases than this one, of some forty places, one finds a partner by one field alone.
        """
        config = trained.config(
            f"infer.cases=[{CASES[4]}]", f"infer.full_resolution_field={str(full).lower()}"
        )
        (wrote,) = infer(config).results
        folder = case_folder(trained, wrote.run_id, wrote.case_id)
        for name in ("registered_img.nii.gz", "registered_label.nii.gz", "metrics.json"):
            (folder / name).unlink()
        (row,) = evaluate(config, wrote.run_id).cases
        assert row.split is wrote.split
        assert row.verdict is wrote.verdict
        for name in WRITTEN:
            within = 10 * tolerance if name.startswith("etre_") else tolerance
            assert getattr(row, name) == pytest.approx(getattr(wrote, name), abs=within), name
        assert row.tre_max_mm is not None
        assert wrote.tre_mm is not None
        assert row.tre_max_mm >= wrote.tre_mm

    def test_every_case_has_a_row(self, done: tuple[Site, str]) -> None:
        """With its split, in order; progress is reported case by case."""
        site, run_id = done
        notes: list[str] = []
        found = evaluate(
            site.config(), run_id, on_progress=lambda p: notes.append(f"{p.done}/{p.total}")
        )
        assert [row.case_id for row in found.cases] == [CASES[0], CASES[5]]
        assert [row.split.value for row in found.cases] == ["train", "test"]
        assert notes == ["1/2", "2/2"]
        assert found.failed == []
        assert lungreg.evaluate is evaluate

    def test_a_spoiled_file_is_a_row_and_stops_nothing(self, site: tuple[Site, str]) -> None:
        """One field cut off, then one missing: named by code, without paths."""
        folder = case_folder(*site, CASES[0])
        field = folder / "displacement.nii.gz"
        field.write_bytes(field.read_bytes()[:100])
        found = evaluate(site[0].config(), site[1])
        assert [row.status for row in found.cases] == [Status.FAILED, Status.SUCCESS]
        spoiled = found.failed[0]
        assert spoiled.error_code == "unreadable_file"
        assert spoiled.verdict is Verdict.FAIL
        assert spoiled.dice_score is None
        assert spoiled.facts()["verdict"] == spoiled.words == "not measured"
        field.unlink()
        (missing,) = evaluate(site[0].config(), site[1]).failed
        assert missing.error_code == "not_found"
        assert missing.error_message is not None
        assert CASES[0] not in missing.error_message

    def test_a_case_that_was_not_registered(self, trained: Site) -> None:
        """Its row says what infer said."""
        trained.backend().stage.delete(f"scansExp/{CASES[0]}_exp.nii.gz")
        report = infer(trained.config(f"infer.cases=[{CASES[0]}]"))
        (row,) = evaluate(trained.config(), report.run_id).cases
        assert row.status is Status.FAILED
        assert row.error_code == report.results[0].error_code

    def test_what_is_no_run(self, done: tuple[Site, str]) -> None:
        """An unknown name, and files given for a run."""
        site, run_id = done
        with pytest.raises(RunError, match=r"none for 'infer-0'.*check the name of the folder"):
            evaluate(site.config(), "infer-0")
        with pytest.raises(ConfigError, match="those of a run are on the stage"):
            evaluate(site.config(), run_id, files={"fixed": Path("a.nii.gz")})

    def test_stricter_thresholds_change_verdict_and_reasons(self, done: tuple[Site, str]) -> None:
        """Those of the configuration at hand count."""
        site, run_id = done
        found = evaluate(site.config("quality.tre_fail_mm=0.01"), run_id).cases
        assert all(row.verdict is Verdict.FAIL for row in found)
        assert all("is above 0.01 mm" in " ".join(row.reasons) for row in found)


class TestFolder:
    def named(self, site: Site, run_id: str, case_id: str) -> Path:
        """A folder as `register` writes it."""
        folder = case_folder(site, run_id, case_id)
        names = {role: str(path) for role, path in case_files(site, case_id).items()}
        (folder / "inputs.json").write_text(json.dumps(names))
        return folder

    def test_equals_the_run(self, site: tuple[Site, str]) -> None:
        """A folder with the files that were registered gives the row of the run."""
        expected = evaluate(site[0].config(), site[1]).cases[1]
        folder = self.named(*site, CASES[5])
        (row,) = evaluate(site[0].config(), folder).cases
        changed = {"split": expected.split}
        assert dataclasses.replace(row, **changed) == expected

    def test_what_is_given_counts_before_what_the_folder_names(
        self, site: tuple[Site, str]
    ) -> None:
        """Files named by the caller replace those of inputs.json, null ones included."""
        folder = self.named(*site, CASES[5])
        names = json.loads((folder / "inputs.json").read_text())
        names.update(fixed=str(folder / "nowhere.nii.gz"), landmarks=None, fixed_mask=None)
        (folder / "inputs.json").write_text(json.dumps(names))
        with pytest.raises(MissingFileError, match="the file must be there"):
            evaluate(site[0].config(), folder)
        files = {"fixed": case_files(site[0], CASES[5])["fixed"]}
        (row,) = evaluate(site[0].config(), folder, files=files).cases
        assert row.fixed_lungs_from == "threshold"
        assert row.tre_mm is None

    def test_another_tools_field(self, site: tuple[Site, str], tmp_path: Path) -> None:
        """SimpleITK's file without a JSON gives the same, as a said one; an affine is measured."""
        folder = self.named(*site, CASES[5])
        expected = evaluate(site[0].config(), folder).cases[0]
        total_mm, grid = decode_displacement((folder / "displacement.nii.gz").read_bytes())
        other = tmp_path / "theirs.nii.gz"
        lps = np.moveaxis(total_mm * np.array([-1, -1, 1])[:, None, None, None], 0, -1)
        image = sitk.GetImageFromArray(lps.transpose(2, 1, 0, 3).astype(np.float64), isVector=True)
        image.SetSpacing(grid.spacing_mm.tolist())
        image.SetOrigin((np.diag([-1, -1, 1]) @ grid.affine[:3, 3]).tolist())
        image.SetDirection((np.diag([-1, -1, 1]) @ grid.directions).ravel().tolist())
        sitk.WriteImage(image, str(other))
        files = case_files(site[0], CASES[5])
        (row,) = evaluate(site[0].config(), other, files=files).cases
        for name in ("tre_mm", "dice_score", "ncc", "sdlogj", "fold_pct", "inverse_mean_mm"):
            assert getattr(row, name) == pytest.approx(getattr(expected, name), abs=2e-3), name
        assert row.case_id == "theirs.nii.gz"
        assert row.tre_aligned_mm == row.tre_initial_mm
        other.write_bytes(encode_nifti(np.moveaxis(total_mm, 0, -1)[:, :, :, None], grid.affine))
        ras = parse_meaning("displacement", "ras")
        (said,) = evaluate(site[0].config(), other, files=files, field=ras).cases
        assert said.tre_mm == pytest.approx(row.tre_mm, abs=1e-3)
        alone = tmp_path / "affine.tfm"
        sitk.WriteTransform(affine_to_sitk(np.eye(4)), str(alone))
        (still,) = evaluate(site[0].config(), alone, files=files).cases
        assert still.tre_mm == pytest.approx(row.tre_initial_mm, abs=1e-3)
        assert still.volume_ratio_jacobian == pytest.approx(1.0, abs=1e-5)

    def test_a_field_that_was_read_in_the_wrong_frame(self, tmp_path: Path) -> None:
        """It fails, and the first reason says why; read in its own frame it does not."""
        made = simulated(40.0)
        files = {role: tmp_path / f"{role}.nii.gz" for role in ("fixed", "moving")}
        files["fixed"].write_bytes(encode_nifti(made.fixed, made.fixed_grid.affine))
        files["moving"].write_bytes(encode_nifti(made.moving, made.moving_grid.affine))
        field = tmp_path / "field.nii.gz"
        vectors = np.moveaxis(made.displacement_mm, 0, -1)[:, :, :, None]
        field.write_bytes(encode_nifti(vectors, made.fixed_grid.affine))
        rows = [
            evaluate(Config(), field, files=files, field=parse_meaning("displacement", frame))
            for frame in ("ras", "lps")
        ]
        right, wrong = (done.cases[0] for done in rows)
        assert right.verdict is Verdict.PASS
        assert wrong.verdict is not Verdict.PASS
        assert "in the other frame (--field-frame ras)" in wrong.reasons[0]

    def test_bad_folders(self, site: tuple[Site, str], tmp_path: Path) -> None:
        """No field, no scans, a JSON of something else, a field of another place."""
        config = site[0].config()
        with pytest.raises(DataError, match=r"a folder to evaluate holds displacement\.nii\.gz"):
            evaluate(config, tmp_path)
        folder = case_folder(*site, CASES[5])
        with pytest.raises(ConfigError, match="both scans are known, got neither"):
            evaluate(config, folder)
        (folder / "inputs.json").write_text("[1]")
        with pytest.raises(DataError, match=r"inputs\.json is a JSON object"):
            evaluate(config, folder)
        self.named(*site, CASES[5])
        far = np.eye(4) * 5
        far[:3, 3] = 9000
        field = folder / "displacement.nii.gz"
        field.write_bytes(encode_nifti(np.zeros((4, 4, 4, 1, 3), np.float32), far, intent=1007))
        with pytest.raises(DataError, match="given where the fixed scan lies") as caught:
            evaluate(config, folder)
        assert caught.value.where == field
        hole = np.full((4, 4, 4, 1, 3), np.nan, np.float32)
        field.write_bytes(encode_nifti(hole, far, intent=1007))
        with pytest.raises(DataError, match="a displacement is finite"):
            evaluate(config, folder)
        field.write_bytes(b"no NIfTI")
        with pytest.raises(UnreadableFileError):
            evaluate(config, folder)

    def test_bad_files_of_the_pair(self, site: tuple[Site, str], tmp_path: Path) -> None:
        """A mask of the other scan and landmarks that are none are refused by name."""
        config, folder = site[0].config(), self.named(*site, CASES[5])
        fixed = sitk.ReadImage(str(case_files(site[0], CASES[5])["fixed_mask"]))
        other = tmp_path / "mask.nii.gz"
        sitk.WriteImage(fixed[1:], str(other))
        with pytest.raises(DataError, match="a mask lies on its scan's grid") as caught:
            evaluate(config, folder, files={"fixed_mask": other})
        assert caught.value.where == other
        points = tmp_path / "points.csv"
        points.write_text("1,2,3\n")
        with pytest.raises(DataError, match="a line of landmarks has 6 numbers") as caught:
            evaluate(config, folder, files={"landmarks": points})
        assert caught.value.where == points

    def test_the_way_back_is_refused(self, site: tuple[Site, str]) -> None:
        """A file that its JSON calls moving to fixed would be measured as a bad registration."""
        folder = self.named(*site, CASES[5])
        description = json.loads((folder / "displacement.json").read_text())
        description["files"] = {"displacement.nii.gz": "moving to fixed"}
        (folder / "displacement.json").write_text(json.dumps(description))
        with pytest.raises(DataError, match="leads from the fixed scan to the moving one"):
            evaluate(site[0].config(), folder)
