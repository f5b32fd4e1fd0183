"""Where a header lays the voxels of a file, in mm, and remarks on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungreg.spatial.geometry import FloatArray, Grid

_ROUNDING_VOX = 0.1
_ROUNDING_OF_DIAGONAL = 5e-4
"""Directions rounded to three decimals, or a quaternion in single precision near half a turn."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What was put right or is odd about a file's header; without case ids and paths."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """The places of a file's voxels."""

    affine: FloatArray
    """(4, 4) float64 from voxel index to RAS mm."""
    remarks: tuple[Remark, ...] = ()


def rounding_mm(grid: Grid) -> float:
    """How far two statements of one grid may lay a voxel apart and still be rounded numbers."""
    diagonal = np.linalg.norm(grid.spacing_mm * grid.shape)
    return float(max(_ROUNDING_VOX * grid.spacing_mm.min(), _ROUNDING_OF_DIAGONAL * diagonal))


def gap_mm(one: Grid, other: Grid) -> float:
    """The largest distance between the corners of two grids of one shape, in mm."""
    return float(np.linalg.norm(one.corners_ras() - other.corners_ras(), axis=1).max())


def in_millimetres(affine: FloatArray, scale: FloatArray, unit: str) -> Placement:
    """An affine whose lengths are in another unit, converted.

    Args:
        affine: (4, 4) from voxel index to RAS in that unit.
        scale: (3,) mm of the unit along each world axis.
        unit: Its name.
    """
    if np.allclose(scale, 1.0):
        return Placement(affine=affine)
    text = f"the header gives lengths in {unit}: they were converted to mm"
    converted = np.diag([*scale, 1.0]) @ affine
    return Placement(affine=converted, remarks=(Remark(code="units", text=text),))
