"""Volumes of a few voxels, in memory and as bytes."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Stored
from lungreg.spatial.geometry import Grid
from tests.grids import oblique_grid

SHAPE = (7, 6, 5)
STORED = Stored(dtype="int16")


def oblique(shape: tuple[int, int, int] = SHAPE) -> Grid:
    """An anisotropic grid turned about all three axes, away from the origin."""
    return oblique_grid(shape, spacing_mm=(0.8, 1.3, 2.5), signs=(1.0, 1.0, 1.0))


def values(shape: tuple[int, ...] = SHAPE) -> NDArray[np.int16]:
    """Different whole numbers in every voxel."""
    return (np.arange(np.prod(shape), dtype=np.int16) - 1000).reshape(shape)


def nifti(data: NDArray, **fields: object) -> bytes:
    """Plain NIfTI-1 bytes made by nibabel, with header fields set afterwards."""
    raw = bytearray(nib.Nifti1Image(data, np.diag([2.0, 3.0, 4.0, 1.0])).to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for key, value in fields.items():
        header[key] = value
    raw[:348] = header.binaryblock
    return bytes(raw)
