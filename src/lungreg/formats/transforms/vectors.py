"""Read and write displacement fields as NIfTI: for ITK in mm, for Learn2Reg in voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.memory_order import copy_into
from lungreg.formats.nifti import MAX_VOXELS, encode_nifti
from lungreg.formats.nifti_header import INTENT_VECTOR
from lungreg.formats.placement import apart
from lungreg.formats.transforms.field_files import decode_field
from lungreg.formats.transforms.fields import ITK_DISPLACEMENT, total_displacement
from lungreg.formats.transforms.rounding import rounded
from lungreg.spatial.geometry import FloatArray, Grid, Transform
from lungreg.spatial.total_displacement import without_affine

_LPS_SIGNS = np.array([-1.0, -1.0, 1.0], dtype=np.float32)


def encode_displacement(total_mm: NDArray[Any], grid: Grid) -> bytes:
    """Write a total displacement `T(x) - x` as a vector NIfTI that ITK reads.

    Args:
        total_mm: (3, X, Y, Z) RAS components in mm at the nodes of `grid`.
        grid: Where they are given, in the fixed scan's world.

    Returns:
        Gzip bytes: float32 (X, Y, Z, 1, 3), LPS components, intent 1007 (vector), `rounded`.

    Raises:
        DataError: Another shape than the grid's.
    """
    _require_on_grid(total_mm, grid)
    lps = np.empty((*grid.shape, 1, 3), dtype=np.float32, order="F")
    for component, part in enumerate(total_mm):
        signed = rounded(np.asarray(part, dtype=np.float32)) * _LPS_SIGNS[component]
        copy_into(lps[..., 0, component], signed)
    return encode_nifti(lps, grid.affine, intent=INTENT_VECTOR)


def decode_displacement(
    data: bytes, *, max_voxels: int = MAX_VOXELS
) -> tuple[NDArray[np.float32], Grid]:
    """Read what `encode_displacement`, ANTs or another tool wrote: (3, X, Y, Z) RAS mm, the grid.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed.
        DataError: Not a vector field, or one whose meaning is not known; see `total_displacement`.
    """
    field = decode_field(data, max_voxels=max_voxels)
    return total_displacement(field), field.grid


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
        DataError: Not displacements as ITK writes them (intent 1007), not finite, or on another
            grid.
    """
    field = decode_field(data, max_voxels=max_voxels)
    if field.meaning != ITK_DISPLACEMENT:
        msg = f"a displacement in ITK's world (LPS, mm) has the intent {INTENT_VECTOR} (vector)"
        raise DataError(msg, got=field.why, mend="write it with ITK or lungreg")
    total_mm, found = total_displacement(field), field.grid
    got = apart(grid, found)
    if got is not None:
        msg = "a displacement lies on the fixed scan's grid"
        raise DataError(msg, got=got, mend="resample it onto the fixed scan")
    return total_mm


def decode_transform(data: bytes, affine: FloatArray) -> Transform:
    """Read a total displacement `T(x) - x` of ours as the transform whose affine is known.

    Args:
        data: Bytes that `encode_displacement` wrote.
        affine: (4, 4) `A`, RAS mm; with the identity, all of the displacement becomes `u`.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        DataError: Not a vector field, or one that is not finite.
    """
    field = decode_field(data)
    return total_transform(total_displacement(field, ITK_DISPLACEMENT), field.grid, affine)


def total_transform(total_mm: NDArray[np.float32], grid: Grid, affine: FloatArray) -> Transform:
    """The transform of a total displacement (3, X, Y, Z) in RAS mm whose affine is known."""
    u_mm = without_affine(affine, total_mm, grid)
    return Transform(affine=affine, displacement_mm=u_mm, grid=grid)


def encode_learn2reg(displacement_vox: NDArray[Any], grid: Grid) -> bytes:
    """Write a displacement in voxels as Learn2Reg's evaluation script reads it.

    Args:
        displacement_vox: (3, X, Y, Z) voxel of the moving array less voxel of the fixed one,
            component `i` along array axis `i`; see `total_displacement.voxel_displacement`.
        grid: The fixed scan's.

    Returns:
        Gzip bytes: float32 (X, Y, Z, 3).

    Raises:
        DataError: Another shape than the grid's.
    """
    _require_on_grid(displacement_vox, grid)
    raw = np.moveaxis(np.asarray(displacement_vox, dtype=np.float32), 0, -1)
    return encode_nifti(raw, grid.affine)


def _require_on_grid(displacement: NDArray[Any], grid: Grid) -> None:
    if displacement.shape != (3, *grid.shape):
        msg = f"a displacement on this grid has shape {(3, *grid.shape)}"
        raise DataError(msg, got=displacement.shape)
