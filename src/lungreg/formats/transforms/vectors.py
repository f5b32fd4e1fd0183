"""Read and write displacement fields as NIfTI: for ITK in mm, for Learn2Reg in voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.nifti import (
    INTENT_VECTOR,
    MAX_VOXELS,
    NiftiArray,
    decode_nifti,
    encode_nifti,
)
from lungreg.spatial.displacement import without_affine
from lungreg.spatial.geometry import FloatArray, Grid, Transform

_LPS_SIGNS = np.array([-1.0, -1.0, 1.0], dtype=np.float32)


def encode_displacement(total_mm: NDArray[Any], grid: Grid) -> bytes:
    """Write a total displacement `T(x) - x` as a vector NIfTI that ITK reads.

    Args:
        total_mm: (3, X, Y, Z) RAS components in mm at the nodes of `grid`.
        grid: Where they are given, in the fixed scan's world.

    Returns:
        Gzip bytes: float32 (X, Y, Z, 1, 3), LPS components, intent 1007 (vector).

    Raises:
        DataError: Another shape than the grid's.
    """
    _require_on_grid(total_mm, grid)
    lps = np.asarray(total_mm, dtype=np.float32) * _LPS_SIGNS[:, None, None, None]
    raw = np.moveaxis(lps, 0, -1)[:, :, :, None, :]
    return encode_nifti(raw, grid.affine, intent=INTENT_VECTOR)


def decode_displacement(
    data: bytes, *, max_voxels: int = MAX_VOXELS
) -> tuple[NDArray[np.float32], Grid]:
    """Read what `encode_displacement` or ANTs wrote: (3, X, Y, Z) RAS mm and the grid.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed.
        DataError: Not a vector field of shape (X, Y, Z, 1, 3).
    """
    return _vectors(decode_nifti(data, max_voxels=max_voxels, components=3))


def decode_true_displacement(
    data: bytes, grid: Grid, *, max_voxels: int = MAX_VOXELS
) -> NDArray[np.float32]:
    """Read the known displacement `T(x) - x` of a case: (3, X, Y, Z) RAS mm.

    Args:
        data: Bytes as `encode_displacement` writes them.
        grid: The fixed scan's, which the field must lie on.
        max_voxels: Most voxels that are unpacked.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed.
        DataError: Not a vector field of intent 1007, not finite, or on another grid.
    """
    array = decode_nifti(data, max_voxels=max_voxels, components=3)
    if array.intent != INTENT_VECTOR:
        msg = f"a displacement in ITK's world (LPS, mm) has the intent {INTENT_VECTOR} (vector)"
        raise DataError(msg, got=array.intent, mend="write it with ITK or lungreg")
    total_mm, found = _vectors(array)
    if not grid.same_as(found, tolerance_mm=max(1e-3, 0.01 * float(grid.spacing_mm.min()))):
        msg = "a displacement lies on the fixed scan's grid"
        got = f"shapes {grid.shape} and {found.shape}, or another affine"
        raise DataError(msg, got=got, mend="resample it onto the fixed scan")
    _require_finite(total_mm)
    return total_mm


def decode_transform(data: bytes, affine: FloatArray) -> Transform:
    """Read a total displacement `T(x) - x` as the transform whose affine is known.

    Args:
        data: Bytes that `decode_displacement` takes.
        affine: (4, 4) `A`, RAS mm; with the identity, all of the displacement becomes `u`.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        DataError: Not a vector field, or one that is not finite.
    """
    total_mm, grid = decode_displacement(data)
    _require_finite(total_mm)
    u_mm = without_affine(affine, total_mm, grid)
    return Transform(affine=affine, displacement_mm=u_mm, grid=grid)


def encode_learn2reg(displacement_vox: NDArray[Any], grid: Grid) -> bytes:
    """Write a displacement in voxels as Learn2Reg's evaluation script reads it.

    Args:
        displacement_vox: (3, X, Y, Z) voxel of the moving array less voxel of the fixed one,
            component `i` along array axis `i`; see `displacement.voxel_displacement`.
        grid: The fixed scan's.

    Returns:
        Gzip bytes: float32 (X, Y, Z, 3).

    Raises:
        DataError: Another shape than the grid's.
    """
    _require_on_grid(displacement_vox, grid)
    raw = np.moveaxis(np.asarray(displacement_vox, dtype=np.float32), 0, -1)
    return encode_nifti(raw, grid.affine)


def _vectors(array: NiftiArray) -> tuple[NDArray[np.float32], Grid]:
    """Stored LPS vectors as (3, X, Y, Z) RAS mm, and their grid."""
    nx, ny, nz, _ = array.raw.shape
    grid = Grid(shape=(nx, ny, nz), affine=array.affine)
    values = array.raw.astype(np.float32) * np.float32(array.slope) + np.float32(array.intercept)
    ras = np.moveaxis(values * _LPS_SIGNS, -1, 0)
    return np.ascontiguousarray(ras), grid


def _require_finite(displacement: NDArray[Any]) -> None:
    if not np.isfinite(displacement).all():
        msg = "a displacement is finite"
        raise DataError(msg, got="NaN or infinity", mend="export the transform again")


def _require_on_grid(displacement: NDArray[Any], grid: Grid) -> None:
    if displacement.shape != (3, *grid.shape):
        msg = f"a displacement on this grid has shape {(3, *grid.shape)}"
        raise DataError(msg, got=displacement.shape)
