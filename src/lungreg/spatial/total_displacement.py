"""Displacements in other forms: along other axes, the affine included, in voxels of both scans."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.displacement import CPU, SLAB_VOXELS
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.lines import affine_lines, places_on
from lungreg.spatial.slabs import slabs

_Float = TypeVar("_Float", bound=np.floating[Any])


def mapped_vectors(matrix: FloatArray, vectors: NDArray[_Float]) -> NDArray[_Float]:
    """Vectors (3, ...) after a (3, 3) matrix, in their own precision.

    Row by row, and where scans lie along the patient's axes without the zeros: `einsum` takes
    several times as long.
    """
    result = np.empty_like(vectors)
    for found, row in zip(result, matrix.astype(vectors.dtype), strict=True):
        np.multiply(vectors[0], row[0], out=found)
        for axis in (1, 2):
            if row[axis]:
                np.add(found, row[axis] * vectors[axis], out=found)
    return result


def total_displacement_mm(
    affine: FloatArray, displacement_mm: NDArray[np.float32], grid: Grid
) -> NDArray[np.float32]:
    """`T(x) - x` at the nodes of `grid`, the affine included: (3, X, Y, Z) RAS mm."""
    total = np.empty_like(displacement_mm)
    lines = affine_lines((affine - np.eye(4)) @ grid.affine, grid.shape)
    for start, stop in slabs(grid.shape, SLAB_VOXELS):
        part = mapped_vectors(affine[:3, :3], displacement_mm[:, start:stop])
        total[:, start:stop] = part + places_on(lines, start, stop, CPU).numpy()
    return total


def without_affine(
    affine: FloatArray, total_mm: NDArray[np.float32], grid: Grid
) -> NDArray[np.float32]:
    """`u` of a transform from its total displacement: undoes `total_displacement_mm`."""
    back = np.linalg.inv(affine)
    return total_displacement_mm(back, total_mm, grid)


def voxel_displacement(
    affine: FloatArray, dense_mm: NDArray[np.float32], fixed: Grid, moving: Grid
) -> NDArray[np.float32]:
    """The displacement `T(x) - x` in voxels: index in the moving array minus index in the fixed.

    Args:
        affine: (4, 4) `A`.
        dense_mm: (3, X, Y, Z) `u` on the fixed grid, RAS components in mm.
        fixed: Grid of the fixed scan.
        moving: Grid of the moving scan; it may have another shape.

    Returns:
        (3, X, Y, Z) float32, component `i` along array axis `i`.
    """
    to_moving = np.linalg.inv(moving.affine) @ affine
    lines = affine_lines(to_moving @ fixed.affine - np.eye(4), fixed.shape)
    result = np.empty_like(dense_mm)
    for start, stop in slabs(fixed.shape, SLAB_VOXELS):
        part = mapped_vectors(to_moving[:3, :3], dense_mm[:, start:stop])
        result[:, start:stop] = part + places_on(lines, start, stop, CPU).numpy()
    return result
