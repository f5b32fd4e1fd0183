"""Names of parts of the lungs: left or right, upper or lower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.lungs import ScanLungs
from lungreg.spatial.geometry import FloatArray
from lungreg.spatial.mask_box import some_voxels

_SAMPLES = 20_000


def region_names(points_ras: FloatArray, lungs: ScanLungs) -> NDArray[np.str_]:
    """(N,) "left upper", "left lower", "right upper" or "right lower".

    Sides are those of the patient by the scan's header; the lungs are parted at the middle of their
    width, and at the height that has half of their volume above it.

    Args:
        points_ras: (N, 3) RAS mm.
        lungs: The lungs that the points lie in.
    """
    inside = lungs.grid.to_world(some_voxels(lungs.or_everything, _SAMPLES))
    middle_x = (inside[:, 0].min() + inside[:, 0].max()) / 2
    middle_z = np.median(inside[:, 2])
    side = np.where(points_ras[:, 0] > middle_x, "right", "left")
    level = np.where(points_ras[:, 2] > middle_z, "upper", "lower")
    return np.char.add(np.char.add(side, " "), level)
