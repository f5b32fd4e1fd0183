"""Choose the initial alignment `A` among candidates.

`A` maps fixed RAS mm to moving RAS mm. There are four plain candidates, each a mode of its own:

- world: trust the headers, `A` is the identity.
- grid: ignore the headers and lay the index boxes over each other, voxel faces included.
- centre: shift the centre of the fixed box onto the centre of the moving one.
- masks: along each axis of the fixed grid, scale and shift carry one scan's lungs onto the other's.

The mode `auto` runs short coarse registrations, rigid and then affine, from each of them and from
lungs laid over lungs (by centres, apices and bases), and, where none of these convinces, from
scans turned by 25 degrees, then by quarter and half turns. What agrees best in the end is a fifth
candidate, the "fitted" affine. Of the five, `auto` takes one that agrees as well as the best: a
plain one if it can, so that a network sees what it was trained on, and the fitted one where a
patient lies turned, a scan is cut off, headers are wrong or the breath is no stretch along the
scan's axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.config import Alignment
from lungreg.registration.alignment.lung_boxes import fit_boxes
from lungreg.registration.alignment.scan import Scan, make_scan, scans_of
from lungreg.registration.alignment.starts import (
    between_axes,
    by_grids,
    laid_over,
    lungs_over_lungs,
    square_turns,
    turned,
)
from lungreg.registration.alignment.trial import Bench, Trial
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import FloatArray, Grid

_SCALES = (0.7, 1.4)
_NEAR_TIE = 0.01
_CONVINCING, _CLEARLY = 0.8, 0.1
_POOR_AGREEMENT = 0.5
_POOR = (
    "the scans hardly agree under any initial alignment (score {:.2f} of at most 1): are they of "
    "one patient?"
)
_OTHER_AXES = 0.3
_FITTED = "fitted"
_PREFERRED = ("world", "masks", "centre", "grid", _FITTED)
"""Of candidates that agree equally well, the first is taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class InitialAlignment:
    """The affine `A` of one pair, and how it was chosen."""

    affine: FloatArray
    """(4, 4) float64, from fixed RAS mm to moving RAS mm."""
    kind: str
    """The candidate it is: "world", "grid", "centre", "masks" (of masks that were given), "lungs"
    (the same with lungs found by threshold) or, by auto alone, "fitted"."""
    warning: str | None = None
    """Set where the requested candidate was not possible, or the scans agree badly under all."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Agreement of the scans under each candidate, from -1 to 1 (see `agreement`); empty unless the
    mode is auto."""


def initial_alignment(
    fixed: NDArray[np.float32],
    fixed_grid: Grid,
    moving: NDArray[np.float32],
    moving_grid: Grid,
    *,
    fixed_mask: NDArray[Any] | None = None,
    moving_mask: NDArray[Any] | None = None,
    mode: Alignment,
) -> InitialAlignment:
    """Choose `A` for one pair.

    Args:
        fixed: (X, Y, Z) float32, expiration after the intensity window, 0 to 1.
        fixed_grid: Its grid.
        moving: (U, V, W) float32, inspiration after the intensity window, 0 to 1.
        moving_grid: Its grid; may differ from the fixed one in everything.
        fixed_mask: (X, Y, Z), any positive value is lung. An empty mask counts as none.
        moving_mask: (U, V, W), any positive value is lung. An empty mask counts as none.
        mode: One of the candidates, or "auto".

    Raises:
        DataError: An image or mask is not on its grid.
    """
    scans = make_scan(fixed, fixed_grid, fixed_mask), make_scan(moving, moving_grid, moving_mask)
    return _chosen(*scans, mode)


def _chosen(fixed: Scan, moving: Scan, mode: Alignment) -> InitialAlignment:
    if mode == "auto":
        return _best(fixed, moving)
    if mode == "masks":
        return _by_masks(fixed, moving)
    return InitialAlignment(affine=by_grids(fixed.grid, moving.grid)[mode], kind=mode)


def _by_masks(fixed: Scan, moving: Scan) -> InitialAlignment:
    """The masks' candidate, or world with a warning where it cannot be had."""
    fit = fit_boxes(fixed, moving)
    if fit is not None and _SCALES[0] <= fit.scale.min() and fit.scale.max() <= _SCALES[1]:
        return InitialAlignment(affine=fit.affine, kind="masks")
    warning = "alignment by lungs needs lungs in both scans: the headers are trusted instead"
    if fit is not None:
        factors = ", ".join(f"{value:.2f}" for value in fit.scale)
        warning = (
            f"the lungs differ in size by factors of {factors}, beyond {_SCALES[0]} to "
            f"{_SCALES[1]}: the headers are trusted instead"
        )
    return InitialAlignment(affine=np.eye(4), kind="world", warning=warning)


def _best(fixed: Scan, moving: Scan) -> InitialAlignment:
    """The plain candidate that agrees best, or the fitted affine where that is clearly better."""
    plain = by_grids(fixed.grid, moving.grid)
    by_masks = _by_masks(fixed, moving)
    if by_masks.kind == "masks":
        plain["masks"] = by_masks.affine
    bench = Bench(fixed, moving)
    fitted = _fitted(bench, plain)
    scores = {name: bench.score(affine) for name, affine in plain.items()}
    enough = max(fitted.score, *scores.values()) - _NEAR_TIE
    affines, scores = {**plain, _FITTED: fitted.affine}, {**scores, _FITTED: fitted.score}
    kind = next(name for name in _PREFERRED if scores.get(name, -1.0) >= enough)
    poor = scores[kind] < _POOR_AGREEMENT
    return InitialAlignment(
        affine=affines[kind],
        kind=kind,
        warning=_POOR.format(scores[kind]) if poor else None,
        scores=scores,
    )


def _fitted(bench: Bench, plain: Mapping[str, FloatArray]) -> Trial:
    """The best end of short registrations; turned starts are tried where no other convinces.

    Quarter and half turns come last and must convince, since they mean that a header is wrong.
    """
    fixed, moving = bench.fixed, bench.moving
    over = list(lungs_over_lungs(fixed, moving, np.eye(3)).values())
    by_axes = between_axes(fixed.grid, moving.grid)
    if by_axes is not None and np.abs(by_axes - np.eye(3)).max() > _OTHER_AXES:
        over += lungs_over_lungs(fixed, moving, by_axes).values()
    best = bench.best([*plain.values(), *over])
    if best.score >= _CONVINCING:
        return best
    centre = bench.middle_ras
    more = [start for affine in over or [plain["centre"]] for start in turned(affine, centre)]
    best = max(best, bench.best(more), key=lambda trial: trial.score)
    if best.score >= _CONVINCING:
        return best
    turned_over = bench.best(laid_over(fixed, moving, square_turns()))
    return turned_over if turned_over.score >= max(_CONVINCING, best.score + _CLEARLY) else best


def align(pair: Pair, hu_window: tuple[float, float], mode: Alignment) -> InitialAlignment:
    """The initial alignment `A` of a pair.

    Where a mask is missing, the lungs are segmented by threshold: without lungs, boxes of the
    scans are all there is to align by.

    Args:
        pair: The case.
        hu_window: Hounsfield units carried to 0 and 1.
        mode: The choice of `A`.
    """
    by_lungs = mode in ("auto", "masks")
    fixed, moving = scans_of(pair, hu_window, lungs=by_lungs)
    chosen = _chosen(fixed, moving, mode)
    if chosen.kind != "masks":
        return chosen
    given = pair.fixed_lungs.known_from == pair.moving_lungs.known_from == "mask"
    return chosen if given else replace(chosen, kind="lungs")
