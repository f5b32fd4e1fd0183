"""Metrics of one registered pair, from its arrays on the fixed grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from lungreg import metrics
from lungreg.records import CaseMetrics, Evidence
from lungreg.registration.correspondences import LandmarkEstimate, estimate_landmarks
from lungreg.registration.evidence import gather_evidence
from lungreg.registration.images import BoolArray, PairImages
from lungreg.registration.landmark_places import LandmarkPlaces, place_landmarks
from lungreg.registration.padding import end_at_padding
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Transform
from lungreg.spatial.mask_box import is_cut_off

_MANY = 200
"""Distinctive places."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """All that is measured of a registered pair."""

    metrics: CaseMetrics
    evidence: Evidence
    places: LandmarkEstimate | None
    """Distinctive places and their partners, which estimated errors come from; None without lungs
    in the fixed scan."""
    landmarks: LandmarkPlaces | None = None
    """Where the landmarks lie in the fixed scan; None without landmarks."""


def measure(
    pair: Pair, transform: Transform, images: PairImages, *, device: torch.device = CPU
) -> Measured:
    """Measure a registered pair; a metric whose mask or landmarks are missing is None."""
    places = estimate_landmarks(pair, transform, device=device)
    landmarks = place_landmarks(pair, transform)
    lungs = images.measured_in
    both = shown_by_both(pair, images)
    compared = lungs & both
    jacobian = metrics.jacobian_summary(images.jacobian, lungs)
    found = CaseMetrics(
        ssim_score=metrics.ssim(images.fixed, images.warped, compared, device=device),
        ssim_aligned=metrics.ssim(images.fixed, images.aligned, compared, device=device),
        ncc=metrics.ncc(images.fixed, images.warped, compared),
        ncc_aligned=metrics.ncc(images.fixed, images.aligned, compared),
        fold_pct=jacobian.fold_pct,
        jacobian_min=jacobian.minimum,
        jacobian_max=jacobian.maximum,
        sdlogj=jacobian.sdlogj,
        outside_fov_pct=float(100 * images.outside.mean()),
        **_overlap(pair, images, both),
        **_landmarks(pair, landmarks),
        **_estimated(places),
    )
    evidence = replace(
        gather_evidence(pair, transform, images, places, device=device),
        landmarks=None if landmarks is None else len(landmarks.errors_mm),
        tre_max_mm=None if landmarks is None else float(landmarks.errors_mm.max()),
    )
    return Measured(metrics=found, evidence=evidence, places=places, landmarks=landmarks)


def shown_by_both(pair: Pair, images: PairImages) -> BoolArray:
    """(X, Y, Z) where images and masks are compared: both scans show what they have there.

    Not in padding of the fixed scan, nor where a moving scan that cuts its lungs off shows nothing.
    A transform that leaves a moving scan with whole lungs is wrong there, and is measured there.
    """
    everywhere: BoolArray = np.ones(images.grid.shape, dtype=bool)
    shown = everywhere if pair.fixed_shown is None else pair.fixed_shown
    moving = pair.moving_lungs.or_everything
    if is_cut_off(moving) or end_at_padding(moving, pair.moving_shown):
        shown = shown & ~images.outside
    return shown if (shown & images.measured_in).any() else everywhere


def _overlap(pair: Pair, images: PairImages, both: BoolArray) -> dict[str, Any]:
    """Dice and HD95 of given masks; overlap of segmented lungs is reported under other names.

    A mask may go on where padding hides the lungs, as one that was drawn on another reconstruction.
    """
    given = images.fixed_mask if pair.fixed_lungs.known_from == "mask" else None
    if given is None or images.warped_mask is None:
        return {}
    fixed = given & both
    moved = {
        "dice_score": images.warped_mask,
        "dice_initial": images.initial_mask,
        "dice_aligned": images.aligned_mask,
    }
    seen = {name: mask & both for name, mask in moved.items() if mask is not None}
    found: dict[str, float | None] = {
        name: metrics.dice(fixed, mask) for name, mask in seen.items()
    }
    if seen["dice_score"].any():
        found["hd95_mm"] = metrics.hd95_mm(fixed, seen["dice_score"], images.grid)
    return found


def _landmarks(pair: Pair, places: LandmarkPlaces | None) -> dict[str, Any]:
    moving = pair.moving_points_ras
    if places is None or moving is None:
        return {}
    final = metrics.landmark_summary(places.errors_mm)
    initial_mm = metrics.landmark_errors_mm(places.fixed_ras, moving)
    return {
        "tre_mm": final.mean_mm,
        "tre_median_mm": final.median_mm,
        "tre_p95_mm": final.p95_mm,
        "tre_initial_mm": metrics.landmark_summary(initial_mm).mean_mm,
        "tre_aligned_mm": metrics.landmark_summary(places.aligned_mm).mean_mm,
    }


def _estimated(places: LandmarkEstimate | None) -> dict[str, float]:
    if places is None:
        return {}
    found_pct = {"etre_found_pct": 100 * places.found_share}
    if not places.found.any():
        # Many places and no partner is a finding; of a few places it says nothing.
        return found_pct if len(places.found) >= _MANY else {}
    if not places.tells_error:
        return found_pct
    final = metrics.landmark_summary(places.errors_mm[places.found])
    return {
        "etre_mm": final.mean_mm,
        "etre_median_mm": final.median_mm,
        "etre_p95_mm": final.p95_mm,
        "etre_aligned_mm": float(places.aligned_mm[places.found].mean()),
        **found_pct,
    }
