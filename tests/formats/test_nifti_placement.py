"""Units and orientation of NIfTI headers, against SimpleITK, nibabel and arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lungreg.formats.volumes import decode_scan, encode_volume
from tests.formats.odd_headers import itk_affine, odd_nifti, read_by_both

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
