"""One breath as fields of other tools."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.spatial.displacement import transform_points
from lungreg.spatial.total_displacement import total_displacement_mm
from tests.formats.transforms.breathing import FIELD, breath, interior
from tests.grids import to_sitk, voxels

Vectors = NDArray[np.float32]


def displacement() -> Vectors:
    """(3, X, Y, Z) `T(x) - x` of the breath on `FIELD`, RAS mm."""
    transform = breath()
    return total_displacement_mm(transform.affine, transform.displacement_mm, FIELD)


def positions() -> Vectors:
    """(3, X, Y, Z) `T(x)`, RAS mm."""
    places = FIELD.to_world(voxels(FIELD)).T.reshape(3, *FIELD.shape)
    return np.asarray(displacement() + places, dtype=np.float32)


def lps(vectors: Vectors) -> Vectors:
    """RAS vectors in LPS."""
    return np.asarray(vectors * np.array([-1, -1, 1], np.float32)[:, None, None, None])


def write_nifti(
    path: Path,
    vectors: Vectors,
    *,
    code: int = 1007,
    name: str = "",
    parameters: tuple[float, ...] = (),
    time_axis: bool = True,
) -> Path:
    """A field with an intent, by nibabel."""
    raw = np.moveaxis(vectors, 0, -1)
    image = nib.Nifti1Image(raw[:, :, :, None] if time_axis else raw, FIELD.affine)
    image.header["intent_code"], image.header["intent_name"] = code, name
    for n, value in enumerate(parameters):
        image.header[f"intent_p{n + 1}"] = value
    nib.save(image, path)
    return path


def write_image(path: Path, vectors: Vectors) -> Path:
    """A field by SimpleITK, which turns its vectors from RAS to LPS as it is asked here."""
    sitk.WriteImage(sitk.Cast(to_sitk(vectors, FIELD), sitk.sitkVectorFloat32), str(path))
    return path


def points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 3) points inside the field, and where the breath carries them, RAS mm."""
    inside = interior(FIELD, 40)
    return inside, transform_points(breath(), inside)
