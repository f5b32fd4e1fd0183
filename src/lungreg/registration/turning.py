"""By how much a transform turns the lungs: more than a patient lies turned, a header is wrong.

Coordinates of a header are the patient's own, however the patient lies on the table: supine or
prone, feet or head first, a right header leaves next to no turn between two scans of one patient.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Transform, nearest_affine, nearest_orthogonal
from lungreg.spatial.mask_box import some_voxels

_MOST_POINTS = 2000
_FEWEST, _LEAST_SPREAD_MM = 20, 1.0
_MOST_DEG = 50.0
"""By which a patient may lie turned on the table although the header does not say so."""
_AXES = ("left to right", "front to back", "head to foot")


def turned_over(pair: Pair, transform: Transform) -> str | None:
    """The turn of the lungs in words, such as "180 degrees about the axis from head to foot".

    Of the rotation in the affine that is nearest to `T` in the fixed lungs.

    Args:
        pair: The case in memory.
        transform: `T`.

    Returns:
        None up to 50 degrees, for a `T` that mirrors, and where the fixed lungs are not known or
        are flat.
    """
    inside = pair.fixed_lungs.inside
    if inside is None:
        return None
    points = pair.fixed.grid.to_world(some_voxels(inside, _MOST_POINTS))
    spread_mm = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / len(points) ** 0.5
    if len(points) < _FEWEST or spread_mm.min() < _LEAST_SPREAD_MM:
        return None
    fitted = nearest_affine(points, transform_points(transform, points))[:3, :3]
    if np.linalg.det(fitted) <= 0:
        return None
    vector = Rotation.from_matrix(nearest_orthogonal(fitted)).as_rotvec()
    degrees = float(np.rad2deg(np.linalg.norm(vector)))
    if degrees <= _MOST_DEG:
        return None
    axis = _AXES[int(np.abs(vector).argmax())]
    return f"{degrees:.0f} degrees about the axis from {axis}"
