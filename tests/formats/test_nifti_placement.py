"""Units and orientation of NIfTI headers, against SimpleITK, nibabel and arithmetic."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.volumes import decode_mask, decode_scan, encode_volume
from tests.formats.odd_headers import itk_affine, odd_nifti, read_by_both
from tests.formats.volumes.small_volumes import oblique, values

METRE, MM, MICRON, SECONDS = 1, 2, 3, 8
SFORM_ALONE = {"qform_code": 0}
QFORM_ALONE = {"sform_code": 0}


@pytest.mark.parametrize("unit", [0, METRE, MM, MICRON, MICRON + SECONDS])
@pytest.mark.parametrize("form", [{}, SFORM_ALONE, QFORM_ALONE])
def test_lengths_are_in_mm_as_in_itk(tmp_path: Path, unit: int, form: dict[str, int]) -> None:
    """Spacing and place of a file in metres or microns are those that ITK finds."""
    path = tmp_path / "scan.nii"
    path.write_bytes(odd_nifti(xyzt_units=unit, **form))
    volume = decode_scan(path.read_bytes())
    np.testing.assert_allclose(volume.grid.affine, itk_affine(path), rtol=1e-4, atol=1e-4)
    assert [x.code for x in volume.remarks] == (["units"] if unit & 7 in (METRE, MICRON) else [])


@pytest.mark.parametrize("unit", [METRE, MICRON])
def test_what_is_written_of_another_unit_is_in_mm(tmp_path: Path, unit: int) -> None:
    """ITK, which heeds the unit, and nibabel, which does not, read the same from our file."""
    volume = decode_scan(odd_nifti(xyzt_units=unit))
    data = encode_volume(volume.data, volume.grid, volume.stored)
    by_nibabel, by_itk = read_by_both(tmp_path / "out.nii.gz", data)
    np.testing.assert_allclose(by_nibabel, volume.grid.affine, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_itk, volume.grid.affine, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("unit", "told"), [(0, []), (2, []), (5, ["unknown_unit"])])
def test_a_unit_that_is_none_is_told(unit: int, told: list[str]) -> None:
    """Lengths are taken as mm, as other tools do."""
    volume = decode_scan(odd_nifti(xyzt_units=unit))
    np.testing.assert_allclose(volume.grid.affine, oblique().affine, atol=1e-4)
    assert [remark.code for remark in volume.remarks] == told


@pytest.mark.parametrize("decode", [decode_scan, decode_mask])
def test_forms_that_lie_apart_are_refused_with_both_places(decode: type) -> None:
    """One tool would take one of them and ITK, by its code, the other."""
    shifted = float(oblique().affine[0, 3]) + 50
    labels = odd_nifti(qoffset_x=shifted, sform_code=2)
    with pytest.raises(DataError, match="50 mm apart") as caught:
        decode(labels)
    x, y, z = oblique().affine[:3, 3]
    assert f"{x:.6g}, {y:.6g}, {z:.6g} by sform and {x + 50:.6g}, {y:.6g}" in str(caught.value)
    assert "set_qform" in str(caught.value.mend)


def test_forms_that_differ_in_direction_are_refused() -> None:
    """A mirrored or turned qform has the same first voxel or centre, not the same corners."""
    image = nib.Nifti1Image(values(), oblique().affine)
    image.set_qform(oblique().affine @ np.diag([1, 1, -1, 1]), code=1)
    with pytest.raises(DataError, match="sform and qform"):
        decode_scan(image.to_bytes())


@pytest.mark.parametrize("angle", [0.3, np.pi - 1e-3, np.pi])
def test_forms_that_differ_by_rounding_are_one(angle: float) -> None:
    """Also near half a turn, where a quaternion of single precision is least exact."""
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    image = nib.Nifti1Image(np.zeros((400, 4, 4), np.uint8), turn @ oblique().affine)
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    volume = decode_mask(image.to_bytes())
    np.testing.assert_allclose(volume.grid.affine, image.affine, atol=1e-4)
    assert volume.remarks == ()


@pytest.mark.parametrize("form", [{}, SFORM_ALONE])
def test_another_spacing_than_the_sform_s_is_refused(form: dict[str, int]) -> None:
    """ITK takes the spacing from pixdim, nibabel the sform's."""
    pixdim = [1.0, 0.8, 1.3, 5.0, 1, 1, 1, 1]
    with pytest.raises(DataError, match=r"0\.8, 1\.3, 5 mm and 0\.8, 1\.3, 2\.5 mm"):
        decode_scan(odd_nifti(pixdim=pixdim, **form))


def test_no_orientation_is_told_with_both_readings(tmp_path: Path) -> None:
    """The reading of nibabel is taken; what is written then says it in both forms."""
    data = odd_nifti(sform_code=0, qform_code=0)
    path = tmp_path / "scan.nii"
    by_nibabel, by_itk = read_by_both(path, data)
    volume = decode_scan(data)
    np.testing.assert_allclose(volume.grid.affine, by_nibabel, atol=1e-6)
    (remark,) = volume.remarks
    assert remark.code == "no_orientation"
    for affine in (by_nibabel, by_itk):
        assert ", ".join(f"{x:.6g}" for x in np.diag(affine)[:3]) in remark.text
    written = encode_volume(volume.data, volume.grid, volume.stored)
    for found in read_by_both(tmp_path / "out.nii.gz", written):
        np.testing.assert_allclose(found, volume.grid.affine, atol=1e-5)


def test_a_factor_of_zero_is_one() -> None:
    """NIfTI lets `pixdim[0]` be 0; nibabel's quaternion would not."""
    pixdim = [0.0, 0.8, 1.3, 2.5, 1, 1, 1, 1]
    volume = decode_scan(odd_nifti(pixdim=pixdim))
    np.testing.assert_allclose(volume.grid.affine, oblique().affine, atol=1e-4)
