"""Estimate how far off a transform is, from the scans alone.

At distinctive places of the fixed lungs the moving scan is searched around `T(x)` for the partner.
A partner counts where it is distinct, where the search back from it returns, and where it agrees
with its neighbours. Its distance to `T(x)` is an estimated landmark error. Where many are large,
the search is repeated around a transform that the first partners have corrected, so that errors
beyond the reach of one search are found too.

A partner is itself not exact, and errs to the same side as `T`, since both look at the same
structures: the distance alone is half of the true error where registration went well. So the
partner's own uncertainty, which grows as the patches correlate less, is added in quadrature.

Nothing is taken from how the transform was made: a network, an optimisation or another tool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.metrics.estimated_error import KNOWN_FROM_SHARE, found_share
from lungreg.registration.correspondences.correction import agreeing, corrected
from lungreg.registration.correspondences.keypoints import keypoints
from lungreg.registration.correspondences.search import Searchable, find_partners
from lungreg.registration.correspondences.volumes import SearchVolumes, search_volumes
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import CPU, transform_points
from lungreg.spatial.geometry import FloatArray, Transform, apply_affine

_MOST_PLACES = 1500
_CELL_MM = 16.0
_REACH_MM = 10.0
_SECOND_REACH_MM = 8.0
_MARGIN_MM = 18.0
_RETURN_MM = 2.0
_LEAST_MARGIN = 0.1
_LEAST_CORRELATION = 0.5
_SECOND_LOOK_MM = 1.5
_UNCERTAIN_MM = 2.5
"""Uncertainty of a partner whose patch does not correlate at all; else times the root of what is
missing to a correlation of 1. Chosen on tests/varied, seeds 1, 2, 4 and 5: of 60 registered pairs
(each base plain, with noise, thick slices, other kernels, blur) the estimate is 0.89 of the true
error, and 1.10 in 84 with errors put in, which partners do not share; without it 0.51 and 1.0.
"""
_FEWEST = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class LandmarkEstimate:
    """Distinctive places of the fixed lungs and their partners in the moving scan."""

    places_ras: FloatArray
    """(N, 3) fixed RAS mm."""
    partners_ras: FloatArray
    """(N, 3) moving RAS mm; not a number where no partner was found."""
    errors_mm: FloatArray
    """(N,) distance of the partner from `T(x)`, with the partner's own uncertainty; not a number
    without partner."""
    deep: NDArray[np.bool_]
    """(N,) which places lie at least 10 mm below the surface of the lungs."""
    shown: NDArray[np.bool_]
    """(N,) which places `T` carries into what the moving scan shows: beyond it is no partner."""
    aligned_mm: FloatArray
    """(N,) distance of the partner from `A(x)`, as uncertain: before registration."""

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,) which places have a partner."""
        return np.isfinite(self.errors_mm)

    @property
    def found_share(self) -> float:
        """Share of the deep places within the moving scan that have a partner."""
        return found_share(self.found, deep=self.deep, shown=self.shown)

    @property
    def tells_error(self) -> bool:
        """Whether enough places have a partner for their distances to say something of `T`."""
        return bool(self.found.any()) and self.found_share >= KNOWN_FROM_SHARE


@dataclass(frozen=True, kw_only=True, eq=False)
class _Matches:
    found: NDArray[np.bool_]
    """(N,) distinct, and the way back returns."""
    seen_ras: FloatArray
    """(N, 3) the partner as a point of the warped scan, fixed RAS mm."""
    uncertain_mm: FloatArray
    """(N,) how exact the partner is."""


def estimate_landmarks(
    pair: Pair, transform: Transform, *, device: torch.device = CPU
) -> LandmarkEstimate | None:
    """Estimated landmark errors of a transform; None where the fixed lungs are not known.

    Args:
        pair: The case in memory. Its own landmarks are not used.
        transform: `T`, from any source; its affine is the alignment before registration.
        device: Where to compute.
    """
    if pair.fixed_lungs.inside is None:
        return None
    volumes = search_volumes(pair, margin_mm=_MARGIN_MM, device=device)
    cell = volumes.voxels(_CELL_MM)
    places = keypoints(volumes.image, volumes.inside, most=_MOST_PLACES, cell=cell)
    places_ras = volumes.grid.to_world(places.cpu().double().numpy())
    partners_ras, uncertain_mm = _partners(volumes, transform, places, places_ras)
    carried_ras = transform_points(transform, places_ras)
    errors = partners_ras - carried_ras
    known = np.flatnonzero(np.isfinite(errors).all(axis=1))
    odd = known[~agreeing(places_ras[known], errors[known])]
    partners_ras[odd] = errors[odd] = np.nan
    aligned = partners_ras - apply_affine(transform.affine, places_ras)
    return LandmarkEstimate(
        places_ras=places_ras,
        partners_ras=partners_ras,
        deep=volumes.deep[tuple(places.T)].cpu().numpy(),
        shown=_shown(pair, carried_ras),
        errors_mm=np.hypot(np.linalg.norm(errors, axis=1), uncertain_mm),
        aligned_mm=np.hypot(np.linalg.norm(aligned, axis=1), uncertain_mm),
    )


def _shown(pair: Pair, points_ras: FloatArray) -> NDArray[np.bool_]:
    """(N,) whether the moving scan shows something at points of its own."""
    grid, inside = pair.moving.grid, pair.moving.grid.contains(points_ras)
    if pair.moving_shown is None:
        return inside
    nearest = np.clip(np.rint(grid.to_voxel(points_ras)), 0, np.array(grid.shape) - 1).astype(int)
    return np.asarray(inside & pair.moving_shown[tuple(nearest.T)])


def _partners(
    volumes: SearchVolumes, transform: Transform, places: Tensor, places_ras: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(N, 3) partners in moving RAS mm, by one search or two, and (N,) their uncertainty in mm."""
    partners: FloatArray = np.full(places_ras.shape, np.nan)
    uncertain_mm: FloatArray = np.zeros(len(places))
    if not len(places):
        return partners, uncertain_mm
    first = _match(volumes, volumes.warped(transform), places, _REACH_MM)
    partners[first.found] = transform_points(transform, first.seen_ras[first.found])
    uncertain_mm = first.uncertain_mm
    steps_mm = first.seen_ras - places_ras
    chosen = np.flatnonzero(first.found)
    chosen = chosen[agreeing(places_ras[chosen], steps_mm[chosen])] if len(chosen) else chosen
    lengths_mm = np.linalg.norm(steps_mm[first.found], axis=1)
    if len(chosen) < _FEWEST or lengths_mm.mean() < _SECOND_LOOK_MM:
        return partners, uncertain_mm
    better = corrected(
        transform,
        places_ras[chosen],
        steps_mm[chosen],
        volumes.grid,
        device=volumes.image.device,
    )
    left = np.flatnonzero(~first.found)
    rest = places[torch.as_tensor(left, device=places.device)]
    second = _match(volumes, volumes.warped(better), rest, _SECOND_REACH_MM)
    partners[left[second.found]] = transform_points(better, second.seen_ras[second.found])
    uncertain_mm[left] = second.uncertain_mm
    return partners, uncertain_mm


def _match(volumes: SearchVolumes, warped: Searchable, places: Tensor, reach_mm: float) -> _Matches:
    """Search there and back."""
    reach = volumes.voxels(reach_mm)
    there = find_partners(volumes.fixed, warped, places, reach)
    whole = there.steps.round()
    back = find_partners(warped, volumes.fixed, places + whole.long(), reach)
    gap_mm = (there.steps + back.steps).norm(dim=1) * volumes.spacing_mm
    found = (gap_mm < _RETURN_MM) & (there.margin > _LEAST_MARGIN)
    found &= there.correlation > _LEAST_CORRELATION
    seen = (places + there.steps).cpu().double().numpy()
    unlike = (1 - there.correlation.clamp(-1, 1)).cpu().double().numpy()
    return _Matches(
        found=found.cpu().numpy(),
        seen_ras=volumes.grid.to_world(seen),
        uncertain_mm=_UNCERTAIN_MM * np.sqrt(unlike),
    )
