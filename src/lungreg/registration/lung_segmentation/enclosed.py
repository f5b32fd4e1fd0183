"""Air inside the body: what may be lung, airway or gas, without the air around the patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from lungreg.registration.lung_segmentation.chest import IN_AXIAL_SLICE, BoolArray, Chest

_SURROUNDED_SHARE = 0.5
_OPEN_AIR_BELOW_HU = -988.0
_BODY_SHARE = 0.1
"""Of what a scan shows: vessels alone, where all but the lungs was blanked, are less."""
_HARDLY_ANY_ML = 50.0
_SHARE_TO_GO_ON = 0.2


def enclosed_air(chest: Chest) -> BoolArray:
    """Air that the body encloses, and lung that nothing encloses since it was cut off or cut out.

    Lung is cut off where a small field of view ends inside it on several sides. It is cut out where
    all around it was filled with one value. Such air is taken only if it is denser than the air of
    a room, and if it goes on from enclosed air or there is hardly any of that.
    """
    pieces, _ = label(chest.air & ~chest.blank, IN_AXIAL_SLICE)
    size = np.maximum(np.bincount(pieces.ravel()), 1)

    def share(where: BoolArray) -> NDArray[np.float64]:
        return np.asarray(np.bincount(pieces.ravel(), weights=where.ravel()) / size)

    enclosed = share(_sides(chest.tissue) >= 3) > _SURROUNDED_SHARE
    enclosed[0] = False
    with_body = np.count_nonzero(chest.tissue) > _BODY_SHARE * np.count_nonzero(~chest.blank)
    if chest.scale.exact and with_body:
        cut = share(chest.hu < _OPEN_AIR_BELOW_HU) < 0.5
    else:
        # Guessed densities do not tell lung from the air of a room, and emphysema is as thin.
        cut = share(_sides(chest.tissue | chest.blank) >= 3) > _SURROUNDED_SHARE
    cut[0] = False
    if not (cut & ~enclosed).any():
        return np.asarray(enclosed[pieces])
    return _gone_on(np.asarray(enclosed[pieces]), np.asarray((enclosed | cut)[pieces]), chest)


def _gone_on(enclosed: BoolArray, either: BoolArray, chest: Chest) -> BoolArray:
    """Enclosed air and that which goes on from it; all of it where hardly any is enclosed."""
    if np.count_nonzero(enclosed) * chest.voxel_ml < _HARDLY_ANY_ML * chest.size**3:
        return either
    pieces, _ = label(either)
    size = np.maximum(np.bincount(pieces.ravel()), 1)
    keep = np.bincount(pieces.ravel(), weights=enclosed.ravel()) > _SHARE_TO_GO_ON * size
    keep[0] = False
    return np.asarray(enclosed | keep[pieces])


def _sides(solid: BoolArray) -> NDArray[np.uint8]:
    """Of left, right, back and front, on how many sides of a voxel there is something solid.

    Only axial slices count, so that lungs cut by the top or bottom of the volume are enclosed
    like any others, and the air around the body is not; the fourth side may be cut off too.
    """
    sides = np.zeros(solid.shape, dtype=np.uint8)
    for axis in (0, 1):
        sides += np.logical_or.accumulate(solid, axis=axis)
        back = np.logical_or.accumulate(np.flip(solid, axis), axis=axis)
        sides += np.flip(back, axis)
    return sides
