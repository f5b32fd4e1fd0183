"""How soft the lower edge of the lungs is: a scan taken while the patient breathed has a soft one.

Such a scan is an average over the ways of the diaphragm. Its tissue is drawn out along the body,
most of it just above the diaphragm, and distinctive places find partners in the upper lungs alone,
or wrong ones: what is left agrees. The edge between lung and diaphragm tells of it. It is as sharp
as a slice is thick in a scan of a held breath, and as wide as the breath in one that was not held.
Kernels, noise, the depth of the breath and where `T` puts tissue hardly change it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.pair import Pair
from lungreg.spatial.filters import gaussian
from lungreg.spatial.geometry import FloatArray, Grid

_STEEPEST = 1.0
"""Rise of the edge from line to line, of 1: where it is steeper the wall is met from beside."""
_LEAST_LUNG_MM, _LEAST_BELOW_MM = 40.0, 8.0
"""Of a line that is judged: lung above the edge, and what the scan shows below it."""
_REACH_MM = 40.0
"""A profile goes so far from the edge, up and down; no edge is wider."""
_NEAR_MM = 16.0
"""The middle of the edge lies no further from where the lungs end."""
_ACROSS_MM = 2.5
"""Values are smoothed across the lines alone, so that noise does not decide."""
_LOW, _MIDDLE, _HIGH = 0.2, 0.5, 0.8
"""Of the step from lung to soft tissue (0 HU), between which the width is measured."""
_MOST_LINES, _FEWEST_LINES = 4000, 30
_MOST_VALUES = 50_000


def lower_edge_mm(pair: Pair) -> float | None:
    """Width of the lower edge of the lungs, mm, in the scan where it is wider; see `edge_width_mm`.

    Returns:
        None where neither scan shows it.
    """
    scans = (
        (pair.fixed_hu, pair.fixed.grid, pair.fixed_lungs.inside),
        (pair.moving_hu, pair.moving.grid, pair.moving_lungs.inside),
    )
    widths = [edge_width_mm(*scan) for scan in scans]
    return max((width for width in widths if width is not None), default=None)


def edge_width_mm(
    hu: NDArray[np.float32], grid: Grid, lungs: NDArray[np.bool_] | None
) -> float | None:
    """By how much the lower edge of the lungs is wider than a slice is thick, mm: the median.

    On each line along the body that ends in a flat part of the diaphragm, the way from where the
    density is a fifth of the step from lung to soft tissue to where it is four fifths. In scans of
    tests/varied at most 4 mm (5 where they are cut off 80 mm above the bases; where few lines are
    left, as in upper lungs, chance ones of 11 and 14), in averages over a breath of 26 to 34 mm
    8 to 19 mm, over 20 mm 7 to 10. Lung that grows denser towards the diaphragm over centimetres
    has a soft edge too, and so may a scan that a part of the other one was mixed into.

    Args:
        hu: (X, Y, Z) Hounsfield units.
        grid: Of the scan.
        lungs: (X, Y, Z) of the scan; None where they are not known.

    Returns:
        None where the scan shows too little of such an edge, as where it is cut off above it.
    """
    if lungs is None:
        return None
    axis = grid.axis_along(2)
    order = [*(a for a in range(3) if a != axis), axis]
    # Lines run from the feet to the head.
    up = slice(None) if grid.directions[2, axis] > 0 else slice(None, None, -1)
    values, inside = hu.transpose(order)[..., up], lungs.transpose(order)[..., up]
    width_mm, depth_mm, slice_mm = (float(grid.spacing_mm[a]) for a in order)
    chosen = _flat(inside, (width_mm, depth_mm, slice_mm))
    if len(chosen) < _FEWEST_LINES:
        return None
    x, y = chosen[:: -(-len(chosen) // _MOST_LINES)].T
    ends_mm = inside.argmax(axis=2)[x, y] * slice_mm
    lowest = max(0, int((ends_mm.min() - _REACH_MM) / slice_mm))
    highest = int((ends_mm.max() + _REACH_MM) / slice_mm) + 2
    part = values[x.min() : x.max() + 1, y.min() : y.max() + 1, lowest:highest]
    smooth = gaussian(part, np.array([_ACROSS_MM / width_mm, _ACROSS_MM / depth_mm, 0.0]))
    lines = x - x.min(), y - y.min()
    profiles = _profiles(smooth, lines, ends_mm - lowest * slice_mm, slice_mm)
    widths = _widths(profiles, _middle_hu(values, inside))
    if len(widths) < _FEWEST_LINES:
        return None
    return float(np.median(widths)) - slice_mm


def _middle_hu(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """The median of a scan in its lungs, from some of the voxels."""
    step = max(1, round((np.count_nonzero(inside) / _MOST_VALUES) ** (1 / 3)))
    part = (slice(None, None, step),) * 3
    return float(np.median(values[part][inside[part]]))


def _flat(inside: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.intp]:
    """(N, 2) the lines, along the last axis, that leave the lungs through a flat part of them."""
    lung_mm = inside.sum(axis=2) * spacing_mm[2]
    ends_mm = np.where(lung_mm > 0, inside.argmax(axis=2) * spacing_mm[2], np.nan)
    steps = (np.abs(np.gradient(ends_mm, mm, axis=a)) for a, mm in enumerate(spacing_mm[:2]))
    flat = np.logical_and.reduce([step < _STEEPEST for step in steps])
    return np.argwhere(flat & (lung_mm > _LEAST_LUNG_MM) & (ends_mm > _LEAST_BELOW_MM))


def _profiles(
    values: NDArray[np.float32],
    lines: tuple[NDArray[np.intp], NDArray[np.intp]],
    ends_mm: FloatArray,
    slice_mm: float,
) -> NDArray[np.float64]:
    """(N, 81) values on lines at each mm, from lung down; not a number below the scan."""
    steps_mm = np.arange(_REACH_MM, -_REACH_MM - 1, -1.0)
    slices = (ends_mm[:, None] + steps_mm) / slice_mm
    last = values.shape[2] - 1
    low = np.clip(np.floor(slices), 0, max(last - 1, 0)).astype(int)
    share = np.clip(slices - low, 0, 1)
    first, second = (lines[0][:, None], lines[1][:, None])
    found = values[first, second, low] * (1 - share)
    found = found + values[first, second, np.minimum(low + 1, last)] * share
    return np.where(slices < -0.5, np.nan, found)


def _widths(profiles: NDArray[np.float64], lung_hu: float) -> NDArray[np.float64]:
    """(M,) widths of those profiles whose edge is seen, mm."""
    low, middle, high = (lung_hu * (1 - share) for share in (_LOW, _MIDDLE, _HIGH))
    place = np.arange(profiles.shape[1])
    crossed = (profiles[:, :-1] < middle) & (profiles[:, 1:] >= middle)
    away = np.where(crossed, np.abs(place[:-1] - _REACH_MM), np.inf)
    edge = away.argmin(axis=1)[:, None]
    # Where nothing is as airy or as dense, the edge is as wide as a profile.
    upper = np.where((place <= edge) & (profiles < low), place, -np.inf).max(axis=1)
    lower = np.where((place > edge) & (profiles > high), place, np.inf).min(axis=1)
    seen = (away.min(axis=1) < _NEAR_MM) & (np.isfinite(lower) | ~np.isnan(profiles[:, -1]))
    return np.asarray(np.minimum(lower - upper, _REACH_MM)[seen])
