"""Images, masks and points through transform files, against SimpleITK and exact maps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import ConfigError, DataError, LungregError, MissingFileError, RunError
from lungreg.formats.points.files import decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.formats.transforms import describe_transform, encode_composite, encode_displacement
from lungreg.formats.transforms.itk_files import encode_transform_files
from lungreg.formats.volumes import Stored, decode_mask, decode_scan, encode_labels, encode_volume
from lungreg.spatial.composition import chain_points
from lungreg.spatial.displacement import (
    dense_displacement,
    resample,
    total_displacement_mm,
    transform_points,
)
from lungreg.spatial.geometry import Frame, Grid, Transform, convert_points, flip_lps
from lungreg.spatial.inversion import invert_points
from lungreg.workflows.apply import apply_to_image, apply_to_points
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, affine, breath, interior, scan
from tests.grids import affine_to_sitk, to_sitk

pytestmark = pytest.mark.usefixtures("one_thread")

TRANSFORM = breath(down_mm=20)
POINTS = interior(FIXED, 12, margin=4)
MOVED = transform_points(TRANSFORM, POINTS)


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    """A pair's files: transforms, scans and masks."""
    made: dict[str, object] = {}
    files = encode_transform_files(
        TRANSFORM, fixed=FIXED, moving=MOVING, moving_lungs=None, made=made
    )
    total = total_displacement_mm(TRANSFORM.affine, TRANSFORM.displacement_mm, FIELD)
    told = describe_transform(TRANSFORM, fixed=FIXED, moving=MOVING, made=made)
    stored = Stored(dtype="int16", slope=0.5, intercept=-1000.0)
    return {
        **files,
        "displacement.nii.gz": encode_displacement(total, FIELD),
        "displacement.json": json.dumps(told).encode(),
        "fixed.nii.gz": encode_volume(scan(FIXED), FIXED, stored),
        "moving.nii.gz": encode_volume(scan(), MOVING, stored),
        "mask.nii.gz": encode_labels((scan() > -500) * np.uint8(7), MOVING),
    }


@pytest.fixture
def folder(written: dict[str, bytes], tmp_path: Path) -> Path:
    """The files in a folder."""
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def points_file(folder: Path, name: str, ras: np.ndarray, frame: Frame, grid: Grid) -> Path:
    """Points in a file of a frame."""
    points = np.asarray(convert_points(ras, Frame.RAS, frame, grid=grid), dtype=np.float64)
    labels = tuple(f"L{n}" for n in range(len(points)))
    path = folder / name
    path.write_bytes(encode_points(PointList(points=points, frame=frame, labels=labels), name))
    return path


def read_points(path: Path, frame: Frame, grid: Grid) -> np.ndarray:
    """Points of a file in RAS."""
    return convert_points(
        decode_points(path.read_bytes(), path.name).points, frame, Frame.RAS, grid=grid
    )


class TestImages:
    @pytest.mark.parametrize("name", ["transform.h5", "displacement.nii.gz"])
    def test_lie_on_the_fixed_grid_as_registered(self, folder: Path, name: str) -> None:
        """Values as `displacement.resample` gives them, on the grid that the JSON records."""
        done = apply_to_image([folder / name], folder / "moving.nii.gz", folder / "out.nii.gz")
        found = decode_scan((folder / "out.nii.gz").read_bytes())
        dense = dense_displacement(TRANSFORM, FIXED)
        expected = resample(scan(), MOVING, FIXED, TRANSFORM.affine, dense, outside_value=-1000.0)
        assert found.grid.same_as(FIXED)
        assert done.outside_pct == pytest.approx(100 * expected.outside.mean(), abs=0.1)
        inside = ~expected.outside
        assert np.abs(found.data - expected.values)[inside].max() < 1

    def test_keep_scale_and_type(self, folder: Path) -> None:
        """Those of the moving file."""
        apply_to_image([folder / "transform.h5"], folder / "moving.nii.gz", folder / "out.nii")
        image = nib.load(folder / "out.nii")
        assert image.get_data_dtype() == np.int16
        assert (image.dataobj.slope, image.dataobj.inter) == (0.5, -1000)

    def test_the_inverse_leads_to_the_moving_grid(self, folder: Path) -> None:
        """The fixed scan on the moving one's grid, as points say."""
        apply_to_image(
            [folder / "transform_inverse.h5"], folder / "fixed.nii.gz", folder / "out.nii.gz"
        )
        found = decode_scan((folder / "out.nii.gz").read_bytes())
        assert found.grid.same_as(MOVING)
        index = np.rint(MOVING.to_voxel(MOVED)).astype(int)
        at = convert_points(index.astype(float), Frame.VOXEL, Frame.RAS, grid=MOVING)
        expected = np.array([found.data[tuple(i)] for i in index])
        back, _ = invert_points(TRANSFORM, at)
        image = to_sitk(scan(FIXED), FIXED)
        truth = [image.EvaluateAtPhysicalPoint(p) for p in flip_lps(back).tolist()]
        np.testing.assert_allclose(expected, truth, atol=5)

    def test_masks_stay_labels(self, folder: Path) -> None:
        """Nearest neighbour, 0 outside."""
        apply_to_image(
            [folder / "transform.h5"],
            folder / "mask.nii.gz",
            folder / "out.nii.gz",
            nearest=True,
        )
        found = decode_mask((folder / "out.nii.gz").read_bytes())
        assert set(np.unique(found.data)) == {0, 7}
        assert found.stored.dtype == "uint8"

    def test_labels_that_are_blended_are_told_of(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whoever forgets --nearest hears so; of a scan nothing is said."""
        out = folder / "out.nii.gz"
        apply_to_image([folder / "transform.h5"], folder / "moving.nii.gz", out)
        assert "--nearest" not in caplog.text
        apply_to_image([folder / "transform.h5"], folder / "mask.nii.gz", out)
        assert "--nearest keeps them whole" in caplog.text

    def test_several_transforms_are_interpolated_once(self, folder: Path) -> None:
        """In the order of points: first the one whose reference is wanted."""
        other = affine_to_sitk(affine())
        sitk.WriteTransform(other, str(folder / "other.tfm"))
        files = [folder / "other.tfm", folder / "transform.h5"]
        apply_to_image(
            files,
            folder / "moving.nii.gz",
            folder / "out.nii.gz",
            reference=folder / "fixed.nii.gz",
            outside_value=3000,
        )
        found = decode_scan((folder / "out.nii.gz").read_bytes())
        first = Transform(
            affine=affine(),
            displacement_mm=np.zeros((3, 1, 1, 1), dtype=np.float32),
            grid=Grid(shape=(1, 1, 1), affine=np.eye(4)),
        )
        index = np.array([[12, 9, 8], [10, 8, 9], [13, 11, 7]])
        arrived = chain_points([first, TRANSFORM], FIXED.to_world(index.astype(float)))
        image = to_sitk(scan(), MOVING)
        truth = [image.EvaluateAtPhysicalPoint(p) for p in flip_lps(arrived).tolist()]
        np.testing.assert_allclose([found.data[tuple(i)] for i in index], truth, atol=1)

    @pytest.mark.parametrize(("shift", "value"), [(0.0, -1000.0), (1000.0, 0.0)])
    def test_outside_is_air_of_the_scans_own_scale(
        self, folder: Path, shift: float, value: float
    ) -> None:
        """Of a thorax; what is no CT gets its lowest value."""
        x, y, _ = np.indices(MOVING.shape) / np.array(MOVING.shape).reshape(3, 1, 1, 1) - 0.5
        body = np.where(np.hypot(x, y) < 0.4, 40.0, -1000.0)
        thorax = np.where((np.abs(x) > 0.1) & (np.hypot(x, y) < 0.3), -800.0, body) + shift
        noise = np.random.default_rng(0).normal(0, 10, MOVING.shape)
        path = folder / "thorax.nii.gz"
        path.write_bytes(encode_volume(thorax + noise, MOVING, Stored(dtype="int16")))
        apply_to_image([folder / "transform.h5"], path, folder / "out.nii.gz")
        found = decode_scan((folder / "out.nii.gz").read_bytes()).data
        dense = dense_displacement(TRANSFORM, FIXED)
        outside = resample(scan(), MOVING, FIXED, affine(), dense).outside
        assert outside.any()
        assert (found[outside] == value).mean() > 0.99

    @pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
    def test_other_formats_are_read(self, folder: Path, suffix: str) -> None:
        """As everywhere."""
        path = folder / f"moving{suffix}"
        sitk.WriteImage(to_sitk(scan().astype(np.int16), MOVING), str(path))
        apply_to_image([folder / "transform.h5"], path, folder / "out.nii.gz", order=3)
        assert decode_scan((folder / "out.nii.gz").read_bytes()).stored.dtype == "int16"


class TestPoints:
    @pytest.mark.parametrize("frame", list(Frame))
    @pytest.mark.parametrize("back", [False, True])
    def test_of_a_csv_in_any_frame(self, folder: Path, frame: Frame, back: bool) -> None:
        """Voxels are those of the scans that the JSON records; the inverse is exact."""
        start, end = ((MOVED, MOVING), (POINTS, FIXED))[:: 1 if back else -1]
        path = points_file(folder, "in.csv", start[0], frame, start[1])
        done = apply_to_points(
            [folder / "transform.h5"],
            path,
            folder / "out.csv",
            frame=frame.value,
            direction="moving-to-fixed" if back else "fixed-to-moving",
        )
        found = read_points(folder / "out.csv", frame, end[1])
        np.testing.assert_allclose(found, end[0], atol=1e-3)
        assert (done.points, done.inexact) == (len(POINTS), 0)
        assert decode_points((folder / "out.csv").read_bytes(), "out.csv").labels[3] == "L3"

    @pytest.mark.parametrize("out", ["out.fcsv", "out.mrk.json", "out.csv"])
    @pytest.mark.parametrize("name", ["in.fcsv", "in.mrk.json"])
    def test_of_slicer(self, folder: Path, name: str, out: str) -> None:
        """Frame and labels are kept, whatever the output's format."""
        path = points_file(folder, name, POINTS, Frame.LPS, FIXED)
        apply_to_points([folder / "transform.h5"], path, folder / out)
        found = read_points(folder / out, Frame.LPS, MOVING)
        np.testing.assert_allclose(found, MOVED, atol=1e-3)
        listed = decode_points((folder / out).read_bytes(), out)
        assert listed.labels[0] == "L0"
        assert listed.frame is (None if out == "out.csv" else Frame.LPS)

    def test_voxels_become_lps_in_slicers_files(self, folder: Path) -> None:
        """They cannot hold voxels."""
        path = points_file(folder, "in.csv", POINTS, Frame.VOXEL, FIXED)
        apply_to_points([folder / "transform.h5"], path, folder / "o.fcsv", frame="voxel")
        np.testing.assert_allclose(
            read_points(folder / "o.fcsv", Frame.LPS, MOVING), MOVED, atol=1e-3
        )

    def test_simpleitk_moves_them_to_the_same_place(self, folder: Path) -> None:
        """To a thousandth of a mm."""
        path = points_file(folder, "in.csv", POINTS, Frame.LPS, FIXED)
        apply_to_points([folder / "transform.h5"], path, folder / "out.csv", frame="lps")
        itk = sitk.ReadTransform(str(folder / "transform.h5"))
        truth = [itk.TransformPoint(point) for point in flip_lps(POINTS).tolist()]
        found = decode_points((folder / "out.csv").read_bytes(), "out.csv").points
        np.testing.assert_allclose(found, truth, atol=1e-3)

    def test_the_inverse_file_knows_its_own_direction(self, folder: Path) -> None:
        """Moving to fixed is as it maps; fixed to moving is its inverse."""
        inverse = [folder / "transform_inverse.h5"]
        path = points_file(folder, "in.csv", MOVED, Frame.RAS, MOVING)
        for direction in (None, "moving-to-fixed"):
            apply_to_points(inverse, path, folder / "o.csv", frame="ras", direction=direction)
            found = read_points(folder / "o.csv", Frame.RAS, FIXED)
            np.testing.assert_allclose(found, POINTS, atol=0.1)
        path = points_file(folder, "in.csv", POINTS, Frame.RAS, FIXED)
        apply_to_points(inverse, path, folder / "o.csv", frame="ras", direction="fixed-to-moving")
        np.testing.assert_allclose(
            read_points(folder / "o.csv", Frame.RAS, MOVING), MOVED, atol=0.1
        )

    def test_of_several_transforms_and_back(self, folder: Path) -> None:
        """The inverses are taken from the last to the first."""
        sitk.WriteTransform(affine_to_sitk(affine()), str(folder / "other.tfm"))
        files = [folder / "transform.h5", folder / "other.tfm"]
        path = points_file(folder, "in.csv", POINTS, Frame.RAS, FIXED)
        apply_to_points(files, path, folder / "there.csv", frame="ras")
        apply_to_points(
            files,
            folder / "there.csv",
            folder / "back.csv",
            frame="ras",
            direction="moving-to-fixed",
        )
        np.testing.assert_allclose(
            read_points(folder / "back.csv", Frame.RAS, FIXED), POINTS, atol=1e-4
        )

    def test_a_fold_is_told(self, folder: Path) -> None:
        """Points without an inverse are counted."""
        folded = breath(size_mm=0.0)
        folded.displacement_mm[:] = np.random.default_rng(0).normal(0, 40, (3, *FIELD.shape))
        (folder / "fold.h5").write_bytes(encode_composite(folded))
        path = points_file(folder, "in.csv", interior(FIXED, 300), Frame.RAS, FIXED)
        done = apply_to_points(
            [folder / "fold.h5"], path, folder / "o.csv", frame="ras", direction="moving-to-fixed"
        )
        assert 0 < done.inexact < done.points

    def test_voxels_of_named_scans(self, folder: Path) -> None:
        """Where there is no JSON, the scans are named."""
        alone = folder / "alone.h5"
        alone.write_bytes((folder / "transform.h5").read_bytes())
        path = points_file(folder, "in.csv", POINTS, Frame.VOXEL, FIXED)
        apply_to_points(
            [alone],
            path,
            folder / "out.csv",
            frame="voxel",
            input_grid=folder / "fixed.nii.gz",
            reference=folder / "moving.nii.gz",
        )
        found = read_points(folder / "out.csv", Frame.VOXEL, MOVING)
        np.testing.assert_allclose(found, MOVED, atol=1e-3)


def on_image(
    *names: str, image: str = "moving.nii.gz", out: str = "o.nii.gz", **options: object
) -> Callable[[Path], object]:
    """An application of transforms to an image of a folder."""
    return lambda at: apply_to_image([at / n for n in names], at / image, at / out, **options)  # type: ignore[arg-type]


def on_points(
    *names: str, points: str = "in.csv", out: str = "o.csv", **options: object
) -> Callable[[Path], object]:
    """An application of transforms to points of a folder."""
    return lambda at: apply_to_points([at / n for n in names], at / points, at / out, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (on_image(), ConfigError, "at least one transform"),
        (on_image("transform.h5", out="o.png"), ConfigError, "written as .nii.gz"),
        (on_image("transform.h5", order=5), DataError, "0 to 3"),
        (on_image("none.h5"), MissingFileError, "must be there"),
        (on_image("transform.h5", image="none.nii.gz"), MissingFileError, "must be there"),
        (on_image("transform.json"), DataError, "a transform ends in"),
        (on_image("moving.nii.gz"), DataError, "vector field"),
        (on_image("affine.tfm"), ConfigError, "grid of the output.*--reference"),
        (on_image("text.h5"), DataError, "complete ITK transform"),
        (
            on_image("transform.h5", image="fractions.nii.gz", nearest=True),
            DataError,
            "whole numbers",
        ),
        (on_image("transform.h5", out="moving.nii.gz/o.nii.gz"), RunError, "can be written"),
        (on_image("transform.h5", out="moving.nii.gz"), ConfigError, "than the inputs"),
        (on_image("displacement.nii.gz", out="displacement.nii.gz"), ConfigError, "the inputs"),
        (on_points("transform.h5", frame="ras", out="./in.csv"), ConfigError, "than the inputs"),
        (on_points(), ConfigError, "at least one transform"),
        (on_points("transform.h5"), ConfigError, "frame.*--frame voxel, ras, lps"),
        (on_points("transform.h5", frame="mm"), ConfigError, "one of voxel, ras, lps"),
        (on_points("transform.h5", points="in.fcsv", frame="ras"), ConfigError, "are in lps"),
        (on_points("transform.h5", points="in.txt", frame="ras"), MissingFileError, "be there"),
        (on_points("transform.h5", frame="ras", direction="up"), ConfigError, "a direction is"),
        (
            on_points(
                "transform.h5", "transform_inverse.h5", frame="ras", direction="moving-to-fixed"
            ),
            ConfigError,
            "all map the same way",
        ),
        (on_points("affine.tfm", frame="voxel"), ConfigError, "whose voxels.*--input-grid"),
        (on_points("alone.h5", frame="voxel"), ConfigError, "whose voxels.*--reference"),
        (on_points("transform.h5", frame="ras", out="o.txt"), DataError, "ends in .csv"),
    ],
)
def test_what_cannot_be_applied_is_refused(
    folder: Path, call: Callable[[Path], object], error: type[LungregError], match: str
) -> None:
    """With the rule and what to do; nothing is written."""
    points_file(folder, "in.csv", POINTS, Frame.RAS, FIXED)
    points_file(folder, "in.fcsv", POINTS, Frame.LPS, FIXED)
    (folder / "text.h5").write_bytes(b"text")
    fractions = encode_volume(np.abs(scan()) + 0.3, MOVING, Stored(dtype="float32"))
    (folder / "fractions.nii.gz").write_bytes(fractions)
    (folder / "alone.h5").write_bytes((folder / "transform.h5").read_bytes())
    sitk.WriteTransform(affine_to_sitk(affine()), str(folder / "affine.tfm"))
    before = sorted(folder.iterdir())
    with pytest.raises(error, match=match):
        call(folder)
    assert sorted(folder.iterdir()) == before


def test_the_json_of_another_tool_is_no_fault(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left aside with a warning, and the field's own grid is the reference."""
    (folder / "transform.json").write_text('{"Sources": []}')
    apply_to_image([folder / "transform.h5"], folder / "moving.nii.gz", folder / "out.nii.gz")
    assert decode_scan((folder / "out.nii.gz").read_bytes()).grid.same_as(FIELD)
    assert "is not read" in caplog.text
    assert "--reference names another" in caplog.text
    assert str(folder) not in caplog.text
