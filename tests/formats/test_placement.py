"""Axes at right angles: sheared ones straightened or refused, so that ITK opens what is written."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError
from lungreg.formats.nifti import encode_nifti
from lungreg.formats.placement import right_angled
from lungreg.formats.volumes import decode_mask, decode_scan, encode_volume, read_volume
from lungreg.spatial.geometry import FloatArray
from tests.formats.odd_headers import read_by_both
from tests.formats.volumes.small_volumes import SHAPE, oblique, values
from tests.grids import to_sitk


def sheared(amount: float) -> FloatArray:
    """An oblique affine whose second axis leans towards the first."""
    affine = oblique().affine.copy()
    lean = oblique().directions
    affine[:3, 1] = (lean[:, 1] + amount * lean[:, 0]) * oblique().spacing_mm[1]
    return affine


def as_nifti(affine: FloatArray) -> bytes:
    """A volume with its orientation as sform alone, which can hold shear."""
    image = nib.Nifti1Image(values() % 3, affine)
    image.set_qform(None, code=0)
    data: bytes = image.to_bytes()
    return data


@pytest.mark.parametrize("amount", [1e-7, 1e-6])
def test_an_affine_that_itk_opens_is_kept_to_the_bit(amount: float) -> None:
    """Rounding of single precision is no shear."""
    placed = right_angled(sheared(amount), SHAPE)
    np.testing.assert_array_equal(placed.affine, sheared(amount))
    assert placed.remarks == ()


@pytest.mark.parametrize("amount", [1e-4, 1e-3, 1e-2])
def test_a_little_shear_is_straightened_and_told(tmp_path: Path, amount: float) -> None:
    """Orthonormal, spacing and centre kept, corners at hand; ITK opens what is written of it."""
    volume = decode_scan(as_nifti(sheared(amount)))
    frame = volume.grid.directions
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    centre = (np.array([SHAPE]) - 1) / 2
    expected = centre @ sheared(amount)[:3, :3].T + sheared(amount)[:3, 3]
    np.testing.assert_allclose(volume.grid.to_world(centre), expected, atol=1e-4)
    assert [x.code for x in volume.remarks] == ["shear"]
    path = tmp_path / "out.nii.gz"
    data = encode_volume(volume.data, volume.grid, volume.stored)
    for found in read_by_both(path, data):
        np.testing.assert_allclose(found, volume.grid.affine, atol=1e-4)


@pytest.mark.parametrize("decode", [decode_scan, decode_mask])
def test_real_shear_is_refused(tmp_path: Path, decode: type) -> None:
    """As ITK refuses the file itself."""
    data = as_nifti(sheared(0.2))
    (tmp_path / "scan.nii").write_bytes(data)
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(str(tmp_path / "scan.nii"))
    with pytest.raises(DataError, match="right angles, got shear of 0"):
        decode(data)


@pytest.mark.parametrize("name", ["scan.mha", "scan.nrrd"])
def test_shear_in_other_formats_is_refused_too(tmp_path: Path, name: str) -> None:
    """ITK reads these, and cannot write them as NIfTI."""
    image = to_sitk(values(), oblique())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    direction[:, 1] += 0.2 * direction[:, 0]
    image.SetDirection((direction / np.linalg.norm(direction, axis=0)).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / name))
    with pytest.raises(DataError, match="right angles"):
        read_volume(tmp_path / name)


def test_a_singular_affine_is_refused() -> None:
    """It has no directions at all."""
    with pytest.raises(DataError, match="invertible"):
        right_angled(np.diag([1.0, 1.0, 0.0, 1.0]), SHAPE)


def test_nothing_sheared_is_written() -> None:
    """Whatever asks for it."""
    with pytest.raises(DataError, match="right angles"):
        encode_nifti(values(), sheared(0.2))
