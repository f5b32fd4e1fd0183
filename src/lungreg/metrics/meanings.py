"""What each measure of an evaluated case means: its unit and one short sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What one measure means."""

    unit: str
    """Such as "mm", "%" or "ml"; empty for ratios and words."""
    text: str
    """For people, without a full stop."""


def _of(unit: str, text: str) -> Meaning:
    return Meaning(unit=unit, text=text)


MEANINGS: Mapping[str, Meaning] = {
    "tre_mm": _of("mm", "mean distance of landmarks after registration (TRE)"),
    "tre_median_mm": _of("mm", "half of the landmarks are nearer"),
    "tre_p95_mm": _of("mm", "95 % of the landmarks are nearer"),
    "tre_max_mm": _of("mm", "distance of the worst landmark"),
    "landmarks": _of("", "number of pairs of landmarks"),
    "tre_initial_mm": _of("mm", "mean distance of landmarks by the headers alone"),
    "tre_aligned_mm": _of("mm", "the same after the initial alignment, before registration"),
    "etre_mm": _of("mm", "estimated mean landmark error: no landmarks needed"),
    "etre_median_mm": _of("mm", "half of the estimated errors are smaller"),
    "etre_p95_mm": _of("mm", "95 % of the estimated errors are smaller"),
    "etre_aligned_mm": _of("mm", "estimated error before registration"),
    "etre_found_pct": _of("%", "distinctive places that found a partner; few make it doubtful"),
    "etre_places": _of("", "number of places with a partner"),
    "dice_score": _of("", "overlap of the lung masks, 1 is perfect"),
    "dice_initial": _of("", "overlap by the headers alone"),
    "dice_aligned": _of("", "overlap after the initial alignment, before registration"),
    "hd95_mm": _of("mm", "95 % of the lungs' surface is nearer to the other's"),
    "fold_pct": _of("%", "of the lungs where the transform folds: should be 0"),
    "jacobian_min": _of("", "smallest change of volume; 0 or less is a fold"),
    "jacobian_max": _of("", "largest change of volume"),
    "sdlogj": _of("", "spread of local volume change (log Jacobian); smooth is small"),
    "sdlogj_learn2reg": _of("", "the same as Learn2Reg computes it, for its tables only"),
    "ncc": _of("", "correlation of the images in the lungs, 1 is perfect"),
    "ssim_score": _of("", "structural similarity in the lungs, 1 is perfect"),
    "residual": _of("", "image difference that is left in the lungs, 0 to 1.41"),
    "inverse_mean_mm": _of("mm", "mean error of going there and back with the inverse"),
    "inverse_max_mm": _of("mm", "largest error of going there and back"),
    "outside_fov_pct": _of("%", "of the fixed scan that leads outside of the moving one"),
    "fixed_lungs_from": _of("", "where the lungs of the fixed scan come from"),
    "moving_lungs_from": _of("", "where the lungs of the moving scan come from"),
    "fixed_lungs_ml": _of("ml", "volume of the lungs in the fixed scan"),
    "moving_lungs_ml": _of("ml", "volume of the lungs in the moving scan"),
    "volume_ratio_lungs": _of("", "moving volume by fixed volume"),
    "volume_ratio_jacobian": _of("", "the same by the transform: should agree"),
    "density_change_hu": _of("HU", "mean density of the warped lungs less the fixed ones'"),
    "stretch": _of("", "lengthening along one direction more than the others, 1 is even"),
    "dice_segmented": _of("", "overlap of lungs that were found by threshold"),
    "hd95_segmented_mm": _of("mm", "surface distance of lungs that were found by threshold"),
}
"""By the field of `CaseEvaluation`, in the order of the table of one case."""
