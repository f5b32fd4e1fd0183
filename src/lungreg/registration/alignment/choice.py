"""Choose the initial alignment `A` among candidates.

`A` maps fixed RAS mm to moving RAS mm. There are four candidates; `auto` takes the one
under which the scans agree best:

- world: trust the headers, `A` is the identity.
- grid: ignore the headers and lay the index boxes over each other, voxel faces included.
- centre: shift the centre of the fixed box onto the centre of the moving one.
- masks: along each axis of the fixed grid, scale and shift carry one scan's lungs onto the other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.config import Alignment
from lungreg.registration.alignment.agreement import agreement
from lungreg.registration.alignment.lung_boxes import fit_boxes
from lungreg.registration.alignment.scan import Scan, make_scan
from lungreg.registration.intensity import window
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import FloatArray, Grid

_SCALES = (0.7, 1.4)
_NEAR_TIE = 0.03
_POOR_AGREEMENT = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class InitialAlignment:
    """The affine `A` of one pair, and how it was chosen."""

    affine: FloatArray
    """(4, 4) float64, from fixed RAS mm to moving RAS mm."""
    kind: str
    """The candidate it is: "world", "grid", "centre" or "masks"."""
    warning: str | None = None
    """Set where the requested candidate was not possible, or the scans agree badly under all."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Agreement of the scans under each candidate, at most 1; empty unless the mode is auto."""


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
    pair = make_scan(fixed, fixed_grid, fixed_mask), make_scan(moving, moving_grid, moving_mask)
    if mode == "auto":
        return _best(*pair)
    if mode == "masks":
        return _by_masks(*pair)
    return InitialAlignment(affine=_by_grids(fixed_grid, moving_grid)[mode], kind=mode)


def grid_affine(fixed: Grid, moving: Grid) -> FloatArray:
    """(4, 4) that lays one index box over the other: `(i_m + .5) / N_m = (i_f + .5) / N_f`."""
    return np.asarray(moving.resized(fixed.shape).affine @ np.linalg.inv(fixed.affine))


def centre_affine(fixed: Grid, moving: Grid) -> FloatArray:
    """(4, 4) shift of the fixed box's centre onto the moving box's."""
    affine = np.eye(4)
    affine[:3, 3] = moving.centre_ras - fixed.centre_ras
    return affine


def _by_grids(fixed: Grid, moving: Grid) -> dict[str, FloatArray]:
    """The candidates that need no more than the two grids."""
    return {
        "world": np.eye(4),
        "grid": grid_affine(fixed, moving),
        "centre": centre_affine(fixed, moving),
    }


def _by_masks(fixed: Scan, moving: Scan) -> InitialAlignment:
    """The masks' candidate, or world with a warning where it cannot be had."""
    fit = fit_boxes(fixed, moving)
    if fit is not None and _SCALES[0] <= fit.scale.min() and fit.scale.max() <= _SCALES[1]:
        return InitialAlignment(affine=fit.affine, kind="masks")
    warning = "alignment by masks needs lungs in both scans: the headers are trusted instead"
    if fit is not None:
        factors = ", ".join(f"{value:.2f}" for value in fit.scale)
        warning = (
            f"the lung masks differ in size by factors of {factors}, beyond {_SCALES[0]} to "
            f"{_SCALES[1]}: the headers are trusted instead"
        )
    return InitialAlignment(affine=np.eye(4), kind="world", warning=warning)


def _best(fixed: Scan, moving: Scan) -> InitialAlignment:
    """The candidate under which the scans agree best; world where no other is clearly better."""
    candidates = _by_grids(fixed.grid, moving.grid)
    by_masks = _by_masks(fixed, moving)
    if by_masks.kind == "masks":
        candidates["masks"] = by_masks.affine
    scores = agreement(fixed, moving, candidates)
    kind = max(scores, key=lambda name: scores[name] - _NEAR_TIE * (name != "world"))
    poor = "the scans hardly agree under any initial alignment: are they of one patient?"
    return InitialAlignment(
        affine=candidates[kind],
        kind=kind,
        warning=poor if scores[kind] < _POOR_AGREEMENT else None,
        scores=scores,
    )


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
    return initial_alignment(
        window(pair.fixed_hu, hu_window),
        pair.fixed.grid,
        window(pair.moving_hu, hu_window),
        pair.moving.grid,
        fixed_mask=pair.fixed_lungs.inside if by_lungs else None,
        moving_mask=pair.moving_lungs.inside if by_lungs else None,
        mode=mode,
    )
