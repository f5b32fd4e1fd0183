"""Where a header lays the voxels of a file: axes at right angles, or a refusal.

ITK opens no image whose axes are sheared, so whatever is read gets axes at right angles here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungreg.errors import DataError
from lungreg.spatial.geometry import FloatArray, Grid, nearest_orthogonal

_EXACT = 1e-5
"""Largest error of a direction that ITK opens: up to here an affine is kept to the bit."""
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
    """(4, 4) float64 from voxel index to RAS mm, axes at right angles."""
    remarks: tuple[Remark, ...] = ()


def rounding_mm(grid: Grid) -> float:
    """How far two statements of one grid may lay a voxel apart and still be rounded numbers."""
    diagonal = np.linalg.norm(grid.spacing_mm * grid.shape)
    return float(max(_ROUNDING_VOX * grid.spacing_mm.min(), _ROUNDING_OF_DIAGONAL * diagonal))


def gap_mm(one: Grid, other: Grid) -> float:
    """The largest distance between the corners of two grids of one shape, in mm."""
    return float(np.linalg.norm(one.corners_ras() - other.corners_ras(), axis=1).max())


def apart(grid: Grid, other: Grid) -> str | None:
    """How another grid differs from one, in words; None where it is the same but for rounding.

    That is where voxels lie within a hundredth of a voxel of each other.
    """
    if grid.same_as(other, tolerance_mm=max(1e-3, 0.01 * float(grid.spacing_mm.min()))):
        return None
    if grid.shape != other.shape:
        return f"shapes {grid.shape} and {other.shape}"
    return f"voxels up to {gap_mm(grid, other):.3g} mm apart"


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


def right_angled(affine: FloatArray, shape: Sequence[int]) -> Placement:
    """An affine with axes at right angles: as it is, or with the traces of rounding removed.

    The centre of the volume and the spacing stay.

    Args:
        affine: (4, 4) from voxel index to RAS mm.
        shape: Voxels along (X, Y, Z) and further axes; a missing one is 1.

    Raises:
        DataError: Not invertible, or sheared by more than rounding.
    """
    nx, ny, nz = (*shape, 1, 1)[:3]
    grid = Grid(shape=(nx, ny, nz), affine=affine)
    frame = nearest_orthogonal(grid.directions)
    if np.abs(frame - grid.directions).max() <= _EXACT:
        return Placement(affine=affine)
    straight = np.eye(4)
    straight[:3, :3] = frame * grid.spacing_mm
    straight[:3, 3] = grid.centre_ras - straight[:3, :3] @ ((np.array(grid.shape) - 1) / 2)
    off_mm = gap_mm(grid, Grid(shape=grid.shape, affine=straight))
    if off_mm > rounding_mm(grid):
        msg = "the axes of a volume are at right angles"
        mend = "resample it onto a grid that is not sheared; ITK opens no other"
        raise DataError(msg, got=f"shear of {off_mm:.2f} mm at the corners", mend=mend)
    text = (
        f"the header's axes are not quite at right angles ({off_mm:.2g} mm at the corners): "
        "they were straightened"
    )
    return Placement(affine=straight, remarks=(Remark(code="shear", text=text),))
