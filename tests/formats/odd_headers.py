"""NIfTI files whose header is not as one expects, and how other tools read a file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from lungreg.spatial.geometry import RAS_TO_LPS, FloatArray
from tests.formats.volumes.small_volumes import oblique, values


def odd_nifti(affine: FloatArray | None = None, **fields: object) -> bytes:
    """A volume with both forms of its orientation, with header fields set afterwards."""
    image = nib.Nifti1Image(values(), oblique().affine if affine is None else affine)
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    raw = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for key, value in fields.items():
        header[key] = value
    raw[:348] = header.binaryblock
    return bytes(raw)


def itk_affine(path: Path) -> FloatArray:
    """(4, 4) from voxel index to RAS mm, as ITK reads a file."""
    image = sitk.ReadImage(str(path))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return np.asarray(RAS_TO_LPS @ matrix)


def read_by_both(path: Path, data: bytes) -> tuple[FloatArray, FloatArray]:
    """The affine of a file as nibabel and as ITK read it, (4, 4) RAS mm."""
    path.write_bytes(data)
    return np.asarray(nib.load(path).affine), itk_affine(path)
