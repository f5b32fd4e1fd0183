"""Images and masks through transform files, against SimpleITK and exact maps."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import ConfigError
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.transforms.fields import parse_meaning
from lungreg.formats.volumes import Stored, decode_mask, decode_scan, encode_volume
from lungreg.spatial.composition import chain_points
from lungreg.spatial.displacement import (
    dense_displacement,
    resample,
)
from lungreg.spatial.geometry import Frame, Grid, Transform, convert_points, flip_lps
from lungreg.spatial.inversion import invert_points
from lungreg.workflows.apply import apply_to_image
from tests.formats.transforms.breathing import FIXED, MOVING, affine, scan
from tests.grids import affine_to_sitk, to_sitk, voxels
from tests.workflows.applied_files import (
    MOVED,
    TRANSFORM,
    write_files,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a pair in a folder."""
    return write_files(tmp_path)


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

    def test_fields_of_other_tools_carry_as_ours(self, folder: Path) -> None:
        """By what they say (NiftyReg's positions), or by what the user says of them."""
        total, grid = decode_displacement((folder / "displacement.nii.gz").read_bytes())
        places = grid.to_world(voxels(grid)).T.reshape(total.shape)
        field = nib.Nifti1Image(np.moveaxis(total + places, 0, -1)[:, :, :, None], grid.affine)
        nib.save(field, folder / "unsaid.nii.gz")
        field.header.set_intent(1007, name="NREG_TRANS")
        nib.save(field, folder / "niftyreg.nii.gz")
        said = {"unsaid": parse_meaning("position", "ras"), "niftyreg": parse_meaning(None, None)}
        images, scan_ = [], folder / "fixed.nii.gz"
        for name in ("displacement", *said):
            out, known = folder / f"by_{name}.nii.gz", said.get(name, parse_meaning(None, None))
            apply_to_image(
                [folder / f"{name}.nii.gz"],
                folder / "moving.nii.gz",
                out,
                reference=scan_,
                field=known,
            )
            images.append(nib.load(out).get_fdata())
        inside = (slice(3, -3),) * 3  # without our JSON a field is continued in another way
        for image in images[1:]:
            assert np.abs(image - images[0])[inside].max() < 1
        with pytest.raises(ConfigError, match="are for vector fields"):
            apply_to_image([folder / "transform.h5"], scan_, out, field=said["unsaid"])

    def test_a_scan_in_another_unit_is_converted_and_told(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The result is that of the same scan in mm."""
        apply_to_image([folder / "transform.h5"], folder / "moving.nii.gz", folder / "a.nii.gz")
        image = nib.load(folder / "moving.nii.gz")
        affine = np.diag([1e3, 1e3, 1e3, 1]) @ image.affine
        micron = nib.Nifti1Image(np.asanyarray(image.dataobj), affine)
        micron.header.set_xyzt_units("micron")
        nib.save(micron, folder / "mueller.nii.gz")
        apply_to_image([folder / "transform.h5"], folder / "mueller.nii.gz", folder / "b.nii.gz")
        one, other = (nib.load(folder / name).get_fdata() for name in ("a.nii.gz", "b.nii.gz"))
        np.testing.assert_allclose(one, other, atol=1)
        assert "lengths in microns" in caplog.text
        assert "mueller" not in caplog.text

    def test_labels_that_are_blended_are_warned_of(
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
