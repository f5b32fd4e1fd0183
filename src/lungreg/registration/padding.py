"""Which voxels of a scan show the patient, and which only fill the volume up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.lung_segmentation.values import (
    BELOW_AIR_HU,
    blank_values,
    from_the_sides,
    is_one_of,
    side_values,
    with_mixed,
)
from lungreg.spatial.geometry import Grid
from lungreg.spatial.neighbours import dilated

_AIR_HU = -900.0
_LEAST_TOUCHED, _MOST_TOUCHED = 0.01, 0.8
"""Shares of the surface of the lungs that lies beside padding."""
_EVERY = 3
"""Of so many voxels along each axis one is looked at first, since most scans have no padding."""

BoolArray = NDArray[np.bool_]


def shown_voxels(
    hu: NDArray[np.float32], grid: Grid, lungs: BoolArray | None = None, *, exact: bool = True
) -> BoolArray | None:
    """(X, Y, Z) where a scan shows something; None where it does so everywhere.

    Padding is slices of one value at the ends, and one value that fills a good part of the scan's
    sides: around the circle that a scanner reconstructs (-2000, -3024) or beyond a scan that was
    turned (often 0). One value near that of air may be air that was clipped. It is padding where
    lungs end at it, which lie within a body and never beside the air around. What lies around most
    of the lungs is no padding: they were cut out along their own outline.

    Args:
        hu: (X, Y, Z) Hounsfield units.
        grid: Their grid.
        lungs: (X, Y, Z) the lungs of this scan, where they are known.
        exact: Whether the units are known; in a guess, what is darker than air may be air.
    """
    upward = grid.axis_along(2)
    values, same = blank_values(side_values(hu, upward))
    hidden = _outer_slices(hu, upward)
    for value in values:
        if exact and value < BELOW_AIR_HU:
            hidden |= is_one_of(hu, [value], same)
        elif value > _AIR_HU:
            hidden |= _from_the_sides(hu, value, same, upward)
        elif lungs is not None and _may_end_at(lungs, hu, value, same):
            around = _from_the_sides(hu, value, same, upward)
            if _beside(lungs, around) > _LEAST_TOUCHED:
                hidden |= around
    if not hidden.any() or hidden.all():
        return None
    hidden = with_mixed(hidden, hu) if exact else hidden
    if lungs is not None and _beside(lungs, hidden) > _MOST_TOUCHED:
        return None
    return ~hidden


def end_at_padding(lungs: BoolArray, shown: BoolArray | None) -> bool:
    """Whether lungs go on where a scan holds padding.

    Args:
        lungs: (X, Y, Z) the lungs of the scan.
        shown: From `shown_voxels` of it.
    """
    return shown is not None and _beside(lungs, ~shown) > _LEAST_TOUCHED


def _outer_slices(hu: NDArray[np.float32], upward: int) -> BoolArray:
    """(X, Y, Z) the lowest and highest slices that hold one value."""
    hidden = np.zeros(hu.shape, dtype=bool)
    slices, found = np.moveaxis(hu, upward, 0), np.moveaxis(hidden, upward, 0)
    for step in (1, -1):
        plain = 0
        while plain < len(slices) and np.ptp(slices[::step][plain]) == 0:
            plain += 1
        found[::step][:plain] = True
    return hidden


def _from_the_sides(hu: NDArray[np.float32], value: float, same: float, upward: int) -> BoolArray:
    here = np.moveaxis(is_one_of(hu, [value], same), upward, 2)
    return np.moveaxis(from_the_sides(here), 2, upward)


def _may_end_at(lungs: BoolArray, hu: NDArray[np.float32], value: float, same: float) -> bool:
    """Whether lungs end at one value, by few voxels."""
    few = (slice(None, None, _EVERY),) * 3
    return _beside(lungs[few], is_one_of(hu[few], [value], same)) > _LEAST_TOUCHED


def _beside(lungs: BoolArray, padding: BoolArray) -> float:
    """Share of the surface of lungs that lies beside padding."""
    if not padding.any():
        return 0.0
    surface = lungs & dilated(~lungs)
    touched = surface & dilated(padding)
    return float(touched.sum() / max(1, surface.sum()))
