"""What speaks for or against a registration beside landmarks and given masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lungreg import metrics
from lungreg.metrics.estimated_error import error_by_region, unmatched_regions
from lungreg.records import Evidence
from lungreg.registration.bones import bone_change
from lungreg.registration.correspondences import LandmarkEstimate
from lungreg.registration.fixed_pattern import correlation_in_place
from lungreg.registration.images import PairImages
from lungreg.registration.likeness import unlike_share
from lungreg.registration.lower_edge import lower_edge_mm
from lungreg.registration.lung_regions import region_names
from lungreg.registration.mask_cover import mask_cover
from lungreg.registration.pair import Pair
from lungreg.registration.scan_size import has_unset_size
from lungreg.registration.turning import turned_over
from lungreg.spatial.displacement import CPU, transform_points
from lungreg.spatial.geometry import Transform, nearest_affine
from lungreg.spatial.mask_box import some_voxels

_MOST_POINTS = 20_000
_AIR_HU = -1000.0
_DIRECTIONS = ("left to right", "front to back", "head to foot")


def gather_evidence(
    pair: Pair,
    transform: Transform,
    images: PairImages,
    places: LandmarkEstimate | None,
    *,
    device: torch.device = CPU,
) -> Evidence:
    """The evidence of a registered pair.

    Args:
        pair: The case in memory.
        transform: `T`.
        images: From `pair_images` of both.
        places: From `estimate_landmarks` of both.
        device: Where to compute.
    """
    lungs = images.measured_in
    return Evidence(
        lungs_outside_pct=float(100 * images.outside[lungs].mean()),
        residual=_residual(images, device),
        volume_ratio_jacobian=metrics.volume_ratio(images.jacobian, lungs),
        stretch=_stretch(pair, transform),
        **_densities(pair, images),
        without_lungs=_without_lungs(pair),
        **_bones(pair, transform),
        turned=turned_over(pair, transform),
        doubts=_doubts(pair),
        unset_voxels=_unset_voxels(pair),
        **_volumes(pair),
        **_regions(pair, places),
        correlation_in_place=correlation_in_place(pair, transform, device=device),
        unlike_pct=_percent(unlike_share(images, pair.fixed_shown, device=device)),
        mask_cover_pct=_percent(mask_cover(pair)),
        lower_edge_mm=lower_edge_mm(pair),
    )


def _residual(images: PairImages, device: torch.device) -> float | None:
    shown = images.measured_in & ~images.outside
    if not shown.any():
        return None
    both = images.fixed, images.warped
    return metrics.residual_difference(*both, shown, images.grid, device=device)


def _densities(pair: Pair, images: PairImages) -> dict[str, Any]:
    """Change of density, warped less fixed, and of mass, density times volume, moving by fixed.

    Where both show lung, in Hounsfield units that are no guess. The window clips both in the same
    way; for the mass its lower end must be air.
    """
    exact = pair.fixed_units.exact and pair.moving_units.exact
    if images.fixed_mask is None or not exact:
        return {}
    shown = images.fixed_mask & ~images.outside
    if not shown.any():
        return {}
    low, high = images.hu_window
    above_air, scale = low - _AIR_HU, high - low
    fixed, warped = images.fixed[shown], images.warped[shown].astype(np.float64)
    grown = np.nan_to_num(np.maximum(images.jacobian[shown], 0)).astype(np.float64)
    means = fixed.mean(dtype=np.float64), warped.mean()
    mass = float(means[0] * scale + above_air)
    moved = float((warped @ grown) / grown.size * scale + grown.mean() * above_air)
    return {
        "density_change_hu": float((means[1] - means[0]) * scale),
        "mass_ratio": moved / mass if mass > 0 else None,
    }


def _without_lungs(pair: Pair) -> str | None:
    if pair.fixed_lungs.inside is None:
        return "fixed"
    return "moving" if pair.moving_lungs.inside is None else None


def _doubts(pair: Pair) -> str | None:
    scans = {"fixed": pair.fixed_lungs, "moving": pair.moving_lungs}
    found = [f"in the {role} scan {text}" for role, lungs in scans.items() for text in lungs.doubts]
    return "; ".join(found) or None


def _unset_voxels(pair: Pair) -> str | None:
    scans = {"fixed": pair.fixed, "moving": pair.moving}
    return " and ".join(role for role, scan in scans.items() if has_unset_size(scan.grid)) or None


def _volumes(pair: Pair) -> dict[str, Any]:
    fixed, moving = pair.fixed_lungs.inside, pair.moving_lungs.inside
    if fixed is None or moving is None:
        return {}
    volumes = (
        metrics.lung_volume_ml(fixed, pair.fixed.grid),
        metrics.lung_volume_ml(moving, pair.moving.grid),
    )
    return {
        "fixed_lungs_ml": volumes[0],
        "moving_lungs_ml": volumes[1],
        "volume_ratio_lungs": volumes[1] / volumes[0],
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _stretch(pair: Pair, transform: Transform) -> float | None:
    """How much more `T` lengthens the lungs along its odd direction than across it.

    From the affine nearest to `T` at points spread over the fixed lungs: of its three factors, the
    one that is furthest from the other two, divided by their geometric mean.
    """
    if pair.fixed_lungs.inside is None:
        return None
    points = pair.fixed.grid.to_world(some_voxels(pair.fixed_lungs.inside, _MOST_POINTS))
    affine = nearest_affine(points, transform_points(transform, points))
    factors = np.log(np.maximum(np.linalg.svd(affine[:3, :3], compute_uv=False), 1e-3))
    small, middle, large = np.sort(factors)
    odd, other = (large, small) if large - middle > middle - small else (small, large)
    return float(np.exp(odd - (middle + other) / 2))


def _bones(pair: Pair, transform: Transform) -> dict[str, Any]:
    change = bone_change(pair, transform)
    if change is None:
        return {}
    named = zip(_DIRECTIONS, change.lengths, strict=True)
    return {
        "bone_stretch": change.stretch,
        "bone_volume_ratio": change.volume_ratio,
        "bone_misfit_mm": change.misfit_mm,
        "bone_lengths": ", ".join(f"{direction} {factor:.2f}" for direction, factor in named),
    }


def _regions(pair: Pair, places: LandmarkEstimate | None) -> dict[str, Any]:
    if places is None:
        return {}
    names = region_names(places.places_ras, pair.fixed_lungs)
    counted = {"deep": places.deep, "shown": places.shown}
    found = {
        "etre_places": int(np.count_nonzero(places.found)),
        "unmatched": ", ".join(unmatched_regions(places.found, names, **counted)) or None,
    }
    if not places.tells_error:
        return found
    known_mm = places.errors_mm[places.found]
    return {
        **found,
        "etre_beyond_3mm_pct": float(100 * (known_mm > 3).mean()),
        "etre_beyond_5mm_pct": float(100 * (known_mm > 5).mean()),
        "etre_regions": error_by_region(places.errors_mm, names, **counted),
    }
