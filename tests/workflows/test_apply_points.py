"""Points through transform files and back, against SimpleITK and exact maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import ConfigError
from lungreg.formats.points.files import decode_points
from lungreg.formats.transforms import encode_composite
from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.spatial.geometry import Frame, flip_lps
from lungreg.workflows.apply_points import apply_to_points
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, affine, breath, interior
from tests.grids import affine_to_sitk
from tests.workflows.applied_files import (
    MOVED,
    POINTS,
    points_file,
    read_points,
    write_files,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a pair in a folder."""
    return write_files(tmp_path)


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
        np.testing.assert_allclose(found, end[0], atol=STEP_MM)
        assert (done.points, done.inexact) == (len(POINTS), 0)
        assert decode_points((folder / "out.csv").read_bytes(), "out.csv").labels[3] == "L3"

    @pytest.mark.parametrize("out", ["out.fcsv", "out.mrk.json", "out.csv"])
    @pytest.mark.parametrize("name", ["in.fcsv", "in.mrk.json"])
    def test_of_slicer(self, folder: Path, name: str, out: str) -> None:
        """Frame and labels are kept, whatever the output's format."""
        path = points_file(folder, name, POINTS, Frame.LPS, FIXED)
        apply_to_points([folder / "transform.h5"], path, folder / out)
        found = read_points(folder / out, Frame.LPS, MOVING)
        np.testing.assert_allclose(found, MOVED, atol=STEP_MM)
        listed = decode_points((folder / out).read_bytes(), out)
        assert listed.labels[0] == "L0"
        assert listed.frame is (None if out == "out.csv" else Frame.LPS)

    def test_voxels_become_lps_in_slicers_files(self, folder: Path) -> None:
        """They cannot hold voxels."""
        path = points_file(folder, "in.csv", POINTS, Frame.VOXEL, FIXED)
        apply_to_points([folder / "transform.h5"], path, folder / "o.fcsv", frame="voxel")
        np.testing.assert_allclose(
            read_points(folder / "o.fcsv", Frame.LPS, MOVING), MOVED, atol=STEP_MM
        )

    def test_simpleitk_moves_them_to_the_same_place(self, folder: Path) -> None:
        """To a thousandth of a mm."""
        path = points_file(folder, "in.csv", POINTS, Frame.LPS, FIXED)
        apply_to_points([folder / "transform.h5"], path, folder / "out.csv", frame="lps")
        itk = sitk.ReadTransform(str(folder / "transform.h5"))
        truth = [itk.TransformPoint(point) for point in flip_lps(POINTS).tolist()]
        found = decode_points((folder / "out.csv").read_bytes(), "out.csv").points
        np.testing.assert_allclose(found, truth, atol=STEP_MM)

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

    def test_points_in_a_fold_are_counted(self, folder: Path) -> None:
        """Points without an inverse are counted."""
        folded = breath(size_mm=0.0)
        folded.displacement_mm[:] = np.random.default_rng(0).normal(0, 40, (3, *FIELD.shape))
        (folder / "fold.h5").write_bytes(encode_composite(folded))
        path = points_file(folder, "in.csv", interior(FIXED, 300), Frame.RAS, FIXED)
        done = apply_to_points(
            [folder / "fold.h5"], path, folder / "o.csv", frame="ras", direction="moving-to-fixed"
        )
        assert 0 < done.inexact < done.points

    @pytest.mark.parametrize("frame", list(Frame))
    def test_points_outside_of_their_scan_are_counted(self, folder: Path, frame: Frame) -> None:
        """Those of another frame mostly lie there."""
        far = POINTS.copy()
        far[:2] += [0, 0, 500]
        path = points_file(folder, "in.csv", far, frame, FIXED)
        done = apply_to_points(
            [folder / "transform.h5"], path, folder / "out.csv", frame=frame.value
        )
        assert (done.points, done.outside) == (len(POINTS), 2)

    def test_titles_in_mm_are_no_voxels(self, folder: Path) -> None:
        """The file says so itself."""
        path = folder / "in.csv"
        path.write_text("x_mm,y_mm,z_mm\n1,2,3\n")
        with pytest.raises(ConfigError, match="in mm, got --frame voxel; give --frame ras or lps"):
            apply_to_points([folder / "transform.h5"], path, folder / "o.csv", frame="voxel")

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
        np.testing.assert_allclose(found, MOVED, atol=STEP_MM)
