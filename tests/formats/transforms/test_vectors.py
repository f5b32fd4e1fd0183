"""Displacement fields as NIfTI, against SimpleITK, nibabel and a closed form."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError
from lungreg.formats.nifti import encode_nifti
from lungreg.formats.transforms import (
    decode_displacement,
    decode_true_displacement,
    encode_displacement,
    encode_learn2reg,
)
from lungreg.formats.transforms.rounding import STEP_MM, rounded
from lungreg.formats.volumes import Stored, encode_volume
from lungreg.spatial.geometry import Grid, flip_lps
from tests.formats.transforms.linear_field import GRID, OFFSET_MM, SLOPE, linear_field


def test_simpleitk_moves_points_by_the_file_as_we_say(tmp_path: Path) -> None:
    """ITK, in LPS, carries points where our RAS field says, to 1e-3 mm."""
    path = tmp_path / "displacement.nii.gz"
    path.write_bytes(encode_displacement(linear_field(), GRID))
    image = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(image)
    rng = np.random.default_rng(0)
    points = GRID.to_world(rng.uniform(0.1, np.array(GRID.shape) - 1.1, size=(50, 3)))
    expected = points + points @ SLOPE + OFFSET_MM
    moved = [transform.TransformPoint(point.tolist()) for point in flip_lps(points)]
    np.testing.assert_allclose(flip_lps(np.array(moved)), expected, atol=STEP_MM)


def test_displacement_round_trip() -> None:
    """What is written comes back, rounded as it was, in RAS."""
    back, where = decode_displacement(encode_displacement(linear_field(), GRID))
    np.testing.assert_array_equal(back, rounded(linear_field()))
    assert where.same_as(GRID)


def test_displacement_has_the_shape_and_intent_that_itk_wants() -> None:
    """(X, Y, Z, 1, 3), vector intent, LPS components."""
    data = encode_displacement(linear_field(), GRID)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(data))
    assert image.shape == (*GRID.shape, 1, 3)
    assert int(image.header["intent_code"]) == 1007
    expected = rounded(linear_field())[0, 2, 3, 4]
    assert np.asarray(image.dataobj)[2, 3, 4, 0, 0] == -expected


def test_a_displacement_of_another_grid_is_refused() -> None:
    """Shape and GRID belong together."""
    with pytest.raises(DataError, match="has shape"):
        encode_displacement(np.zeros((3, 2, 2, 2)), GRID)


def test_a_scan_is_no_displacement() -> None:
    """Other files are recognised by their shape, other bytes by their header."""
    scan = encode_volume(np.zeros(GRID.shape), GRID, Stored(dtype="int16"))
    with pytest.raises(DataError, match="vector field has shape"):
        decode_displacement(scan)
    with pytest.raises(UnreadableFileError):
        decode_displacement(b"text")


def test_true_displacement_is_that_of_the_file() -> None:
    """On the fixed grid, a hundredth of a voxel of rounding aside, it comes back in RAS."""
    near = Grid(shape=GRID.shape, affine=GRID.affine + 1e-4 * np.eye(4, k=3))
    for grid in (GRID, near):
        found = decode_true_displacement(encode_displacement(linear_field(), GRID), grid)
        np.testing.assert_array_equal(found, rounded(linear_field()))


def test_true_displacement_is_checked() -> None:
    """Another grid, another intent, numbers that are none."""
    data = encode_displacement(linear_field(), GRID)
    moved = Grid(shape=GRID.shape, affine=GRID.affine + np.eye(4, k=3))
    with pytest.raises(DataError, match="lies on the fixed scan's grid"):
        decode_true_displacement(data, moved)
    plain = encode_nifti(np.zeros((*GRID.shape, 1, 3), dtype=np.float32), GRID.affine)
    with pytest.raises(DataError, match="intent 1007"):
        decode_true_displacement(plain, GRID)
    with pytest.raises(DataError, match="finite"):
        decode_true_displacement(encode_displacement(np.inf * linear_field(), GRID), GRID)


def test_learn2reg_has_four_dimensions() -> None:
    """(X, Y, Z, 3) float32, voxels along array axes, as the official script reads it."""
    voxels = np.random.default_rng(0).normal(size=(3, *GRID.shape)).astype(np.float32)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(encode_learn2reg(voxels, GRID)))
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(image.get_fdata(), np.moveaxis(voxels, 0, -1))
    with pytest.raises(DataError, match="has shape"):
        encode_learn2reg(voxels[:, :2], GRID)
