"""Volume change inside the fixed lungs from the Jacobian: folds, spread, ratio."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lungreg.metrics.comparable import BoolArray, require_same_shape, require_voxels
from lungreg.spatial.geometry import FloatArray, Grid

_SMALLEST_DETERMINANT = 1e-9
_LEARN2REG_SHIFT = 3.0
_LEARN2REG_CLIP = (1e-9, 1e9)
_LEARN2REG_RIM_VOX = 2


class JacobianSummary(NamedTuple):
    """Summary of the Jacobian determinant inside the fixed lungs."""

    fold_pct: float
    """Share of voxels whose determinant is not above zero, %."""
    minimum: float
    """Smallest determinant."""
    maximum: float
    """Largest determinant."""
    sdlogj: float | None
    """Standard deviation of the natural logarithm of the determinants above zero; None where
    there is none."""


def jacobian_summary(jacobian: FloatArray, mask: BoolArray) -> JacobianSummary:
    """Folding and volume change inside a mask.

    A determinant that is zero, negative or not a number is folded. `sdlogj` is over the
    determinants above zero alone, clipped below at 1e-9, so that folds show in `fold_pct` and
    not as an arbitrary logarithm.

    Args:
        jacobian: (X, Y, Z) determinant of the Jacobian of `T` in the world.
        mask: (X, Y, Z) bool, the fixed lungs.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    require_same_shape(jacobian, mask)
    require_voxels(mask)
    values = jacobian[mask].astype(np.float64)
    positive = values[values > 0]
    logarithms = np.log(np.maximum(positive, _SMALLEST_DETERMINANT))
    return JacobianSummary(
        fold_pct=100.0 * (values.size - positive.size) / values.size,
        minimum=float(values.min()),
        maximum=float(values.max()),
        sdlogj=float(logarithms.std()) if positive.size else None,
    )


def sdlogj_learn2reg(
    jacobian: FloatArray, mask: BoolArray, *, fixed: Grid, moving: Grid
) -> float | None:
    """The figure that Learn2Reg's official script calls SDlogJ; not a standard deviation of log J.

    The script (github.com/MDL-UzL/L2R, evaluation.py and utils.py, version 2.0) adds 3 to the
    determinant before it takes the logarithm, `std(log(clip(det + 3, 1e-9, 1e9)))`, over the
    mask without the two outer voxels of each side of the volume. The result is about a quarter
    of the true one where the field is smooth, and hides folds: a determinant of -2 counts as 1.
    Report it only to compare with the challenge's tables; `jacobian_summary` has the true one.

    The script differentiates, by central differences, a field that leads from voxels of the
    fixed array to voxels of the moving one. That is the Jacobian of the world between the two
    grids' matrices, so that its determinant is the world's times a constant, 1 for the
    challenge's own pairs, which share one grid.

    Args:
        jacobian: (X, Y, Z) determinant of the Jacobian of `T` in the world.
        mask: (X, Y, Z) bool, the fixed lungs.
        fixed: Grid of both.
        moving: Grid of the moving scan.

    Returns:
        The figure, or None where no voxel of the mask lies further than two from every side.

    Raises:
        DataError: Shapes differ.
    """
    require_same_shape(jacobian, mask)
    inner = (slice(_LEARN2REG_RIM_VOX, -_LEARN2REG_RIM_VOX),) * 3
    values = jacobian[inner][mask[inner]].astype(np.float64)
    if values.size == 0:
        return None
    values *= np.linalg.det(fixed.affine[:3, :3]) / np.linalg.det(moving.affine[:3, :3])
    return float(np.log(np.clip(values + _LEARN2REG_SHIFT, *_LEARN2REG_CLIP)).std())


def lung_volume_ml(mask: BoolArray, grid: Grid) -> float:
    """Volume of a mask in ml."""
    return int(np.count_nonzero(mask)) * grid.voxel_volume_mm3 / 1000.0


def volume_ratio(jacobian: FloatArray, mask: BoolArray) -> float:
    """The factor by which `T` enlarges the fixed lungs: the mean determinant over them.

    The integral of `det J` over the fixed lungs is the volume of the region of the moving scan
    that they are carried to, so this compares with the ratio of the two lung volumes as masks
    give them. They differ where the boundaries do not meet, where `T` folds, and where either
    scan is cut off, which hides lung from a mask and not from `T`. Determinants that are not a
    number count as zero.

    Args:
        jacobian: (X, Y, Z) determinant of the Jacobian of `T` in the world.
        mask: (X, Y, Z) bool, the fixed lungs.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    require_same_shape(jacobian, mask)
    require_voxels(mask)
    return float(np.nan_to_num(jacobian[mask].astype(np.float64), nan=0.0).mean())
