"""Which voxels of a scan show the patient, and which only fill the volume up."""

from __future__ import annotations

import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from lungreg.registration.lung_segmentation.values import (
    FEET_TO_HEAD,
    blank_values,
    from_the_sides,
    is_one_of,
    side_values,
)
from lungreg.spatial.geometry import Grid
from lungreg.spatial.neighbours import dilated

_BELOW_AIR_HU = -1150.0
_AIR_HU = -900.0
_LEAST_TOUCHED, _MOST_TOUCHED = 0.01, 0.8
"""Shares of the surface of the lungs that lies beside padding."""

BoolArray = NDArray[np.bool_]


def shown_voxels(
    hu: NDArray[np.float32], grid: Grid, lungs: BoolArray | None = None
) -> BoolArray | None:
    """(X, Y, Z) where a scan shows something; None where it does so everywhere.

    Padding is one value that fills a good part of the scan's sides: around the circle that a
    scanner reconstructs (-2000, -3024) or beyond a scan that was turned (often 0). One value near
    that of air may be air that was clipped. It is padding where it is the same in all slices, as a
    circle is, and where lungs end at it, which lie within a body and never beside the air around.
    What lies around most of the lungs is no padding: they were cut out along their own outline.

    Args:
        hu: (X, Y, Z) Hounsfield units.
        grid: Their grid.
        lungs: (X, Y, Z) the lungs of this scan, where they are known.
    """
    upward = int(np.flatnonzero(io_orientation(grid.affine)[:, 0] == FEET_TO_HEAD)[0])
    values, same = blank_values(side_values(hu, upward))
    hidden = np.zeros(hu.shape, dtype=bool)
    slices = np.moveaxis(hidden, upward, 2)
    for value in values:
        here = np.moveaxis(is_one_of(hu, [value], same), upward, 2)
        if value < _BELOW_AIR_HU:
            slices |= here
        elif value > _AIR_HU:
            slices |= from_the_sides(here)
        else:
            always = np.logical_and.reduce(here, axis=2, keepdims=True)
            around = np.broadcast_to(from_the_sides(always), here.shape)
            if (
                lungs is not None
                and _beside(lungs, np.moveaxis(around, 2, upward)) > _LEAST_TOUCHED
            ):
                slices |= around
    if not hidden.any() or hidden.all():
        return None
    if lungs is not None and _beside(lungs, hidden) > _MOST_TOUCHED:
        return None
    return ~hidden


def _beside(lungs: BoolArray, padding: BoolArray) -> float:
    """Share of the surface of lungs that lies beside padding."""
    surface = lungs & dilated(~lungs)
    touched = surface & dilated(padding)
    return float(touched.sum() / max(1, surface.sum()))
