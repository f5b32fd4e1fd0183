"""Trachea and main bronchi."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label

from lungreg.registration.lung_segmentation.chest import IN_AXIAL_SLICE, BoolArray, Chest
from lungreg.spatial.neighbours import dilated

_BELOW_HU = -900.0
_AREA_MM2 = (40.0, 800.0)
_OFF_MIDDLE_MM = 35.0
_LENGTH_MM = 20.0


def find_airways(chest: Chest, enclosed: BoolArray) -> BoolArray:
    """Trachea and main bronchi, roughly.

    Small dark pieces of axial slices near the middle of the body form stacks; of the long ones,
    the airway reaches highest. None are found where densities are a guess.

    Args:
        chest: The working copy.
        enclosed: (L, P, S) air inside the body.
    """
    if not chest.scale.exact:
        return np.zeros(enclosed.shape, dtype=bool)
    pieces, _ = label(enclosed & (chest.hu < _BELOW_HU), IN_AXIAL_SLICE)
    size = np.maximum(np.bincount(pieces.ravel()), 1)
    across_mm = np.arange(enclosed.shape[0])[:, None, None] * chest.spacing_mm[0]
    across_mm = np.broadcast_to(across_mm, enclosed.shape)
    off_mm = np.bincount(pieces.ravel(), weights=across_mm.ravel()) / size
    body = chest.tissue | enclosed
    off_mm -= across_mm[body].mean() if body.any() else 0.0
    area_mm2 = size * chest.spacing_mm[0] * chest.spacing_mm[1] / chest.size**2
    keep = (area_mm2 > _AREA_MM2[0]) & (area_mm2 < _AREA_MM2[1])
    keep &= np.abs(off_mm) < _OFF_MIDDLE_MM * chest.size
    keep[0] = False
    stacks, _ = label(keep[pieces])
    slices = [box[2] for box in find_objects(stacks)]
    long = [
        (part.stop, number)
        for number, part in enumerate(slices, start=1)
        if (part.stop - part.start) * chest.spacing_mm[2] >= _LENGTH_MM * chest.size
    ]
    if not long:
        return np.zeros(enclosed.shape, dtype=bool)
    return dilated(np.asarray(stacks == max(long)[1]))
