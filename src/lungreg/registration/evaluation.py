"""Metrics of one registered pair, from its arrays on the fixed grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg import metrics
from lungreg.records import CaseMetrics, Evidence
from lungreg.registration.images import PairImages
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Transform, apply_affine


def evaluate(pair: Pair, transform: Transform, images: PairImages) -> CaseMetrics:
    """Measure a registered pair; a metric whose mask or landmarks are missing is None."""
    lungs = images.measured_in
    jacobian = metrics.jacobian_summary(images.jacobian, lungs)
    return CaseMetrics(
        ssim_score=metrics.ssim(images.fixed, images.warped, lungs),
        ncc=metrics.ncc(images.fixed, images.warped, lungs),
        fold_pct=jacobian.fold_pct,
        jacobian_min=jacobian.minimum,
        jacobian_max=jacobian.maximum,
        sdlogj=jacobian.sdlogj,
        outside_fov_pct=float(100 * images.outside.mean()),
        **_overlap(pair, images),
        **_landmarks(pair, transform),
    )


def image_evidence(images: PairImages) -> Evidence:
    """Residual image difference and change of volume inside the fixed lungs."""
    lungs = images.measured_in
    shown = lungs & ~images.outside
    residual = None
    if shown.any():
        residual = metrics.residual_difference(images.fixed, images.warped, shown, images.grid)
    ratio = metrics.volume_ratio(images.jacobian, lungs)
    return Evidence(residual=residual, volume_ratio_jacobian=ratio)


def _overlap(pair: Pair, images: PairImages) -> dict[str, Any]:
    """Dice and HD95 of given masks; overlap of segmented lungs is reported under other names."""
    fixed = images.fixed_mask if pair.fixed_lungs.known_from == "mask" else None
    if fixed is None or images.warped_mask is None:
        return {}
    moved = {
        "dice_score": images.warped_mask,
        "dice_initial": images.initial_mask,
        "dice_aligned": images.aligned_mask,
    }
    found: dict[str, float | None] = {
        name: metrics.dice(fixed, mask) for name, mask in moved.items() if mask is not None
    }
    if images.warped_mask.any():
        found["hd95_mm"] = metrics.hd95_mm(fixed, images.warped_mask, images.grid)
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
