"""Transforms of a run for other tools, read by SimpleITK and by Learn2Reg's formula."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from lungreg.backends import open_backend
from lungreg.config import Config, Ingest, parse_config
from lungreg.errors import ConfigError, DataError, RunError
from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.formats.volumes import decode_mask, decode_scan
from lungreg.records import Status
from lungreg.spatial.displacement import (
    transform_points,
)
from lungreg.spatial.geometry import flip_lps
from lungreg.workflows.apply import apply_to_image
from lungreg.workflows.apply_points import apply_to_points
from lungreg.workflows.export import case_numbers, export
from tests.grids import from_sitk, to_sitk
from tests.small_cases import (
    FIXED_GRID,
    MOVING_GRID,
    breath,
    landmarks,
    scan,
    small_config,
)
from tests.workflows.exported_run import (
    RUN,
    put_run,
    result,
    wavy,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A stage with a run of two cases."""
    raw = small_config().model_dump(exclude_unset=True)
    root = {"kind": "local", "root": str(tmp_path / "stage"), "tracking": False}
    config = parse_config({**raw, "backend": root})
    put_run(config, {"case_007": 7, "case_021": 21})
    return config


def test_a_folder_of_register_is_a_case_named_like_it(config: Config, tmp_path: Path) -> None:
    """The same files as those of a run; the moving mask is where inputs.json says, if it is."""
    case = tmp_path / "stage" / "runs" / RUN / "cases" / "case_007"
    folder = tmp_path / "anna"
    shutil.copytree(case, folder)
    mask = tmp_path / "stage" / "moving_mask" / "case_007"
    for named in (str(mask), str(tmp_path / "gone.nii.gz")):
        (folder / "inputs.json").write_text(json.dumps({"moving_mask": named}))
        done = export(config, folder, tmp_path / "out", file_format="ants")
        ends = ("Warp.nii.gz", "InverseWarp.nii.gz", "Warp.json")
        assert done.files == [f"anna_{end}" for end in ends]
        described = json.loads((tmp_path / "out" / "anna_Warp.json").read_text())
        in_lungs = described["inverse"]["residual_in"].startswith("the lungs")
        assert in_lungs == (named == str(mask))
    with pytest.raises(DataError, match="a folder to export holds displacement"):
        export(config, tmp_path, tmp_path / "out", file_format="itk")


def test_itk_files_of_each_case(config: Config, tmp_path: Path) -> None:
    """SimpleITK carries points and the image as the registration did."""
    out = tmp_path / "out"
    done = export(config, RUN, out, file_format="itk")
    names = ("transform.h5", "transform_inverse.h5", "transform.json")
    assert done.files == [f"{case}/{n}" for case in ("case_007", "case_021") for n in names]
    assert done.failed == {}
    itk = sitk.ReadTransform(str(out / "case_021" / "transform.h5"))
    points = FIXED_GRID.to_world(np.random.default_rng(0).uniform(2, 13, (50, 3)))
    found = [itk.TransformPoint(p) for p in flip_lps(points).tolist()]
    expected = transform_points(wavy(21), points)
    np.testing.assert_allclose(flip_lps(np.array(found)), expected, atol=2 * STEP_MM)
    described = json.loads((out / "case_021" / "transform.json").read_text())
    assert described["made"] == {"model": "lungs", "version": "3", "run": RUN, "alignment": "world"}
    assert described["inverse"]["residual_in"] == "the lungs of the moving scan"


def test_itk_files_give_the_registered_image(config: Config, tmp_path: Path) -> None:
    """Applied to the moving scan, within 1 HU inside."""
    export(config, RUN, tmp_path / "out", file_format="itk")
    stage = open_backend(config.backend).stage
    itk = sitk.ReadTransform(str(tmp_path / "out" / "case_007" / "transform.h5"))
    moving, _ = scan(MOVING_GRID, 7, breath(7))
    reference, image = to_sitk(scan(FIXED_GRID, 7)[0], FIXED_GRID), to_sitk(moving, MOVING_GRID)
    expected = from_sitk(sitk.Resample(image, reference, itk, sitk.sitkLinear, -5000.0))
    found = decode_scan(stage.read(f"runs/{RUN}/cases/case_007/registered_img.nii.gz")).data
    inside = expected > -2000
    assert inside.mean() > 0.5
    assert np.abs(found - expected)[inside].max() < 1.1  # the file is rounded to whole numbers


def test_ants_files_of_each_case(config: Config, tmp_path: Path) -> None:
    """Total displacements on both scans' own grids, LPS, intent 1007; there and back."""
    out = tmp_path / "out"
    done = export(config, RUN, out, file_format="ants")
    assert done.files[:3] == [
        f"case_007_{n}" for n in ("Warp.nii.gz", "InverseWarp.nii.gz", "Warp.json")
    ]
    warps = {}
    for name, grid in (("Warp", FIXED_GRID), ("InverseWarp", MOVING_GRID)):
        path = out / f"case_007_{name}.nii.gz"
        image = nib.load(path)
        assert image.shape == (*grid.shape, 1, 3)
        assert int(image.header["intent_code"]) == 1007
        field = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
        warps[name] = sitk.DisplacementFieldTransform(field)
    points = FIXED_GRID.to_world(np.random.default_rng(0).uniform(4, 11, (50, 3)))
    for point, expected in zip(points, transform_points(wavy(7), points), strict=True):
        moved = warps["Warp"].TransformPoint(flip_lps(point[None])[0].tolist())
        # Linear between nodes of another grid than the one it was computed on.
        assert np.linalg.norm(flip_lps(np.array([moved]))[0] - expected) < 0.2
        back = warps["InverseWarp"].TransformPoint(moved)
        assert np.linalg.norm(flip_lps(np.array([back]))[0] - point) < 0.4


def test_what_is_exported_can_be_applied(config: Config, tmp_path: Path) -> None:
    """Warps are known by the JSON beside them, the inverse too."""
    out = tmp_path / "out"
    export(config, RUN, out, file_format="ants")
    points = FIXED_GRID.to_world(np.random.default_rng(0).uniform(4, 11, (5, 3)))
    np.savetxt(tmp_path / "in.csv", transform_points(wavy(7), points), delimiter=",")
    for name in ("case_007_Warp.nii.gz", "case_007_InverseWarp.nii.gz"):
        apply_to_points(
            [out / name],
            tmp_path / "in.csv",
            tmp_path / "out.csv",
            frame="ras",
            direction="moving-to-fixed",
        )
        found = np.loadtxt(tmp_path / "out.csv", delimiter=",")
        np.testing.assert_allclose(found, points, atol=0.5)
    stage = open_backend(config.backend).stage
    (tmp_path / "m.nii.gz").write_bytes(stage.read("moving_mask/case_007"))
    apply_to_image(
        [out / "case_007_Warp.nii.gz"], tmp_path / "m.nii.gz", tmp_path / "o.nii.gz", nearest=True
    )
    found = decode_mask((tmp_path / "o.nii.gz").read_bytes())
    label = decode_mask(stage.read(f"runs/{RUN}/cases/case_007/registered_label.nii.gz"))
    assert found.grid.same_as(FIXED_GRID)
    assert np.mean(found.data == label.data) > 0.999


class TestLearn2Reg:
    """By the formulas of the official evaluation, written anew."""

    @pytest.fixture
    def field(self, config: Config, tmp_path: Path) -> np.ndarray:
        """(X, Y, Z, 3) as the official script loads it."""
        export(config, RUN, tmp_path / "out", file_format="learn2reg")
        image = nib.load(tmp_path / "out" / "disp_0021_0021.nii.gz")
        assert image.get_data_dtype() == np.float32
        return np.asarray(image.get_fdata())

    def test_lies_on_the_fixed_grid(self, field: np.ndarray) -> None:
        """With its three components last."""
        assert field.shape == (*FIXED_GRID.shape, 3)

    def test_landmark_errors(self, field: np.ndarray) -> None:
        """|f + disp(f) - m| times the moving spacing is the error in mm, by cubic splines."""
        points = landmarks(21)
        fixed, moving = points[:, :3], points[:, 3:]
        moved = fixed + np.stack([map_coordinates(field[..., k], fixed.T) for k in range(3)], 1)
        found = np.linalg.norm((moved - moving) * MOVING_GRID.spacing_mm, axis=1)
        carried = transform_points(wavy(21), FIXED_GRID.to_world(fixed))
        expected = np.linalg.norm(carried - MOVING_GRID.to_world(moving), axis=1)
        assert expected.min() > 1
        np.testing.assert_allclose(found, expected, atol=0.3)

    def test_warped_masks(self, config: Config, field: np.ndarray) -> None:
        """The moving mask at identity + disp, nearest, is the label that infer wrote."""
        _, mask = scan(MOVING_GRID, 21, breath(21))
        index = np.indices(FIXED_GRID.shape) + np.moveaxis(field, -1, 0)
        warped = map_coordinates(mask, index, order=0)
        stage = open_backend(config.backend).stage
        label = decode_mask(stage.read(f"runs/{RUN}/cases/case_021/registered_label.nii.gz"))
        assert np.mean(warped == label.data) > 0.995

    def test_the_numbers_are_explained(self, config: Config, tmp_path: Path) -> None:
        """A table says which case has which number."""
        done = export(config, RUN, tmp_path / "out", file_format="learn2reg")
        assert done.files == ["disp_0007_0007.nii.gz", "disp_0021_0021.nii.gz", "cases.csv"]
        rows = list(csv.DictReader((tmp_path / "out" / "cases.csv").read_text().splitlines()))
        assert rows[1] == {
            "case_id": "case_021",
            "number": "21",
            "file": "disp_0021_0021.nii.gz",
        }


@pytest.mark.parametrize(
    ("case_ids", "numbers"),
    [
        (("case_002", "case_010"), (2, 10)),
        (("LungCT_0021", "copd1"), (21, 1)),
        (("a_1", "b_1"), (1, 2)),
        (("b", "a"), (2, 1)),
        (("sub-01_ses-1", "sub-02_ses-1"), (1, 2)),
        (("case_12345", "case_1"), (2, 1)),
    ],
)
def test_numbers_of_cases(case_ids: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    """The one in the id where every id has one of at most four digits, all different."""
    assert case_numbers(case_ids) == dict(zip(case_ids, numbers, strict=True))


def test_a_case_whose_files_are_gone_does_not_stop_the_others(
    config: Config, tmp_path: Path
) -> None:
    """It is named with its reason; failed cases of the run are left out."""
    backend = open_backend(config.backend)
    backend.stage.delete(f"runs/{RUN}/cases/case_007/displacement.json")
    failed = result("case_030", Status.FAILED)
    backend.results.write([failed])
    done = export(config, RUN, tmp_path / "out", file_format="itk")
    assert list(done.failed) == ["case_007"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["case_021"]


def test_a_case_that_left_the_manifest_is_exported(config: Config, tmp_path: Path) -> None:
    """Without lungs the residual counts in the whole scan."""
    stage = open_backend(config.backend).stage
    for file in stage.list("manifest"):
        stage.delete(file.name)
    export(config, RUN, tmp_path / "out", file_format="itk")
    described = json.loads((tmp_path / "out" / "case_021" / "transform.json").read_text())
    assert described["inverse"]["residual_in"] == "the moving scan"


def test_other_formats_and_runs_are_refused(config: Config, tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(ConfigError, match=r"itk, ants, learn2reg, got 'elastix'"):
        export(config, RUN, tmp_path / "out", file_format="elastix")
    with pytest.raises(RunError, match="has results"):
        export(config, "infer-2", tmp_path / "out", file_format="itk")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="can be written"):
        export(config, RUN, tmp_path / "file", file_format="itk")


@pytest.mark.parametrize("file_format", ["itk", "ants", "learn2reg"])
def test_files_that_are_there_are_told_before_any_is_replaced(
    config: Config, tmp_path: Path, file_format: str
) -> None:
    """All that the export would write, and nothing is told of a folder without them."""
    out, told = tmp_path / "out", []

    def refuse(there: Sequence[Path]) -> None:
        told.extend(there)
        raise InterruptedError

    done = export(config, RUN, out, file_format=file_format, before_replacing=refuse)
    assert told == []
    for name in done.files:
        (out / name).write_text("mine")
    with pytest.raises(InterruptedError):
        export(config, RUN, out, file_format=file_format, before_replacing=refuse)
    assert told == [out / name for name in done.files]
    assert {path.read_text() for path in told} == {"mine"}
    export(config, RUN, out, file_format=file_format)
    assert b"mine" not in {path.read_bytes() for path in told}


def test_a_mask_above_the_size_limit_fails_its_case(config: Config, tmp_path: Path) -> None:
    """`ingest.max_voxels` holds here as for all commands; the mask is not unpacked."""
    limited = config.model_copy(update={"ingest": Ingest(max_voxels=10)})
    done = export(limited, RUN, tmp_path / "out", file_format="itk")
    assert sorted(done.failed) == ["case_007", "case_021"]
    assert "at most 10 voxels" in done.failed["case_007"]
