"""Evaluate one pair in memory from its scans and any transform, ours or another tool's.

Nothing that `infer` or `register` reported of the case is used, so that all transforms are measured
in the same way.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg import metrics
from lungreg.config import Quality
from lungreg.records import CaseEvaluation, Split
from lungreg.registration.evaluation import measure, shown_by_both
from lungreg.registration.images import PairImages, carry_moving, pair_images
from lungreg.registration.judgement import judge_pair
from lungreg.registration.pair import Pair, require_size
from lungreg.spatial.displacement import CPU, resample, transform_points
from lungreg.spatial.geometry import FloatArray, Transform
from lungreg.spatial.inversion import invert_points
from lungreg.spatial.mask_box import some_voxels

BoolArray = NDArray[np.bool_]

_MOST_POINTS = 50_000


class RoundTrip(NamedTuple):
    """Inverse consistency: distances between points and their images under there and back."""

    mean_mm: float
    max_mm: float


def reevaluate(
    pair: Pair,
    transform: Transform,
    *,
    hu_window: tuple[float, float],
    thresholds: Quality,
    split: Split = Split.UNSEEN,
    backward: Transform | None = None,
    device: torch.device = CPU,
) -> CaseEvaluation:
    """All metrics that the pair's masks and landmarks allow, and the verdict with its reasons.

    Args:
        pair: The case in memory.
        transform: `T`, from any source; its affine is the alignment that "aligned" metrics use.
        hu_window: HU carried to 0 and 1 where images are compared.
        thresholds: Of the verdict.
        split: The part of the model's split that the case was in.
        backward: The pair registered the other way round, moving to fixed, where there is such a
            transform: two independent estimates that agree say more than a numerical inverse.
        device: Where to compute.

    Raises:
        DataError: A scan is not as large as one of a patient may be.
    """
    require_size(pair)
    carried = carry_moving(pair, transform, device)
    images = pair_images(pair, transform, carried, hu_window=hu_window, device=device)
    measured = measure(pair, transform, images, device=device)
    evidence = dataclasses.replace(
        measured.evidence,
        **_segmented_overlap(pair, transform, images, device),
        **_round_trip(pair, transform, backward, images),
    )
    measured, judgement = judge_pair(
        pair,
        dataclasses.replace(measured, evidence=evidence),
        thresholds,
        hu_window=hu_window,
    )
    return CaseEvaluation(
        case_id=pair.case.case_id,
        split=split,
        fixed_lungs_from=pair.fixed_lungs.known_from,
        moving_lungs_from=pair.moving_lungs.known_from,
        verdict=judgement.verdict,
        evidence=judgement.evidence,
        reasons=judgement.reasons,
        sdlogj_learn2reg=metrics.sdlogj_learn2reg(
            images.jacobian, images.measured_in, fixed=pair.fixed.grid, moving=pair.moving.grid
        ),
        **vars(measured.metrics),
        **vars(measured.evidence),
    )


def inverse_consistency(
    forward: Transform, points_ras: FloatArray, backward: Transform | None = None
) -> RoundTrip:
    """Inverse consistency error (Christensen and Johnson 2001, TMI 20(7):568).

    Without `backward`, back is the exact inverse of `forward`. This is then large only where
    `forward` folds, so that more than one point arrives at the same place and the inverse leads
    to another of them. It says nothing of whether the right tissue was met: a smooth transform
    that is wrong by centimetres has an inverse as good as any. With a registration of the swapped
    pair as `backward`, it is an estimate of the error itself, from below.

    Args:
        forward: From the fixed to the moving scan.
        points_ras: (N, 3) where to look, fixed RAS mm, at least one.
        backward: From the moving to the fixed scan; None inverts `forward`.
    """
    there = transform_points(forward, points_ras)
    back = (
        invert_points(forward, there)[0] if backward is None else transform_points(backward, there)
    )
    gap_mm = metrics.landmark_errors_mm(back, points_ras)
    return RoundTrip(float(gap_mm.mean()), float(gap_mm.max()))


def _segmented_overlap(
    pair: Pair, transform: Transform, images: PairImages, device: torch.device
) -> dict[str, Any]:
    """Dice and HD95 where a lung mask was segmented here, under their own names."""
    lungs, moving = pair.fixed_lungs, pair.moving_lungs
    segmented = "threshold" in (lungs.known_from, moving.known_from)
    if lungs.inside is None or moving.inside is None or not segmented:
        return {}
    fixed = pair.fixed.grid
    moved = resample(
        moving.inside.astype(np.uint8),
        pair.moving.grid,
        fixed,
        transform.affine,
        images.dense_mm,
        mode="nearest",
        device=device,
    )
    both = shown_by_both(pair, images)
    masks = lungs.inside & both, np.asarray(moved.values > 0) & both
    return {
        "dice_segmented": metrics.dice(*masks),
        "hd95_segmented_mm": metrics.hd95_mm(*masks, fixed),
    }


def _round_trip(
    pair: Pair, transform: Transform, backward: Transform | None, images: PairImages
) -> dict[str, Any]:
    """Inverse consistency where the moving scan shows the fixed lungs, at evenly spread voxels."""
    chosen = some_voxels(images.measured_in & ~images.outside, _MOST_POINTS)
    if len(chosen) == 0:
        return {}
    trip = inverse_consistency(transform, pair.fixed.grid.to_world(chosen), backward)
    return {"inverse_mean_mm": trip.mean_mm, "inverse_max_mm": trip.max_mm}
