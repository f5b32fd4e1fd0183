"""What is reported of one registered pair, from its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg import metrics
from lungreg.records import CaseMetrics, Evidence
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Grid, Transform, apply_affine

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class OnFixedGrid:
    """One registered pair on the fixed scan's own grid."""

    fixed: NDArray[np.float32]
    """(X, Y, Z) after the intensity window."""
    warped: NDArray[np.float32]
    """(X, Y, Z) moving scan after `T` and the window."""
    lungs: BoolArray
    """(X, Y, Z) where image metrics and folding are counted."""
    fixed_mask: BoolArray | None
    initial_mask: BoolArray | None
    """(X, Y, Z) moving lungs by the headers alone, nearest neighbour."""
    aligned_mask: BoolArray | None
    """(X, Y, Z) moving lungs after `A`."""
    warped_mask: BoolArray | None
    """(X, Y, Z) moving lungs after `T`."""
    jacobian: NDArray[np.float32]
    """(X, Y, Z) determinant of the Jacobian of `T`."""
    outside: BoolArray
    """(X, Y, Z) where `T` leaves the moving scan."""


def evaluate(pair: Pair, transform: Transform, images: OnFixedGrid) -> CaseMetrics:
    """All metrics that the case has what it takes for."""
    jacobian = metrics.jacobian_summary(images.jacobian, images.lungs)
    return CaseMetrics(
        ssim_score=metrics.ssim(images.fixed, images.warped, images.lungs),
        ncc=metrics.ncc(images.fixed, images.warped, images.lungs),
        fold_pct=jacobian.fold_pct,
        jacobian_min=jacobian.minimum,
        jacobian_max=jacobian.maximum,
        sdlogj=jacobian.sdlogj,
        outside_fov_pct=float(100 * images.outside.mean()),
        **_overlap(pair, images),
        **_landmarks(pair, transform),
    )


def image_evidence(images: OnFixedGrid, grid: Grid) -> Evidence:
    """The evidence that costs next to nothing: residual difference and change of volume.

    Args:
        images: The registered pair.
        grid: The fixed grid.
    """
    shown = images.lungs & ~images.outside
    residual = None
    if shown.any():
        residual = metrics.residual_difference(images.fixed, images.warped, shown, grid)
    ratio = metrics.volume_ratio(images.jacobian, images.lungs)
    return Evidence(residual=residual, volume_ratio_jacobian=ratio)


def _overlap(pair: Pair, images: OnFixedGrid) -> dict[str, Any]:
    if images.fixed_mask is None or images.warped_mask is None or not images.fixed_mask.any():
        return {}
    moved = {
        "dice_score": images.warped_mask,
        "dice_initial": images.initial_mask,
        "dice_aligned": images.aligned_mask,
    }
    found: dict[str, float | None] = {
        name: metrics.dice(images.fixed_mask, mask)
        for name, mask in moved.items()
        if mask is not None
    }
    if images.warped_mask.any():
        found["hd95_mm"] = metrics.hd95_mm(images.fixed_mask, images.warped_mask, pair.fixed.grid)
    return found


def _landmarks(pair: Pair, transform: Transform) -> dict[str, Any]:
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    if fixed is None or moving is None:
        return {}
    final = metrics.landmark_summary(_errors(transform_points(transform, fixed), moving))
    aligned = metrics.landmark_summary(_errors(apply_affine(transform.affine, fixed), moving))
    return {
        "tre_mm": final.mean_mm,
        "tre_median_mm": final.median_mm,
        "tre_initial_mm": metrics.landmark_summary(_errors(fixed, moving)).mean_mm,
        "tre_aligned_mm": aligned.mean_mm,
    }


def _errors(moved: FloatArray, target: FloatArray) -> NDArray[np.float64]:
    return metrics.landmark_errors_mm(moved, target)
