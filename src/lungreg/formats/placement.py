"""Where a header lays the voxels of a file, in mm, and remarks on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungreg.spatial.geometry import FloatArray


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
