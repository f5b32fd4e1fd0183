"""Where the landmarks of a pair lie in the fixed scan, before and after registration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungreg import metrics
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Transform, apply_affine
from lungreg.spatial.inversion import invert_points


@dataclass(frozen=True, kw_only=True, eq=False)
class LandmarkPlaces:
    """The landmarks of a pair, all carried to the fixed scan, and their errors."""

    fixed_ras: FloatArray
    """(N, 3) where they were marked in the fixed scan, RAS mm."""
    before_ras: FloatArray
    """(N, 3) where the aligned moving scan shows those of the moving scan: `A^-1(y)`, RAS mm."""
    after_ras: FloatArray
    """(N, 3) where the warped moving scan shows them: `T^-1(y)`, RAS mm."""
    aligned_mm: NDArray[np.float64]
    """(N,) `|A(x) - y|`."""
    errors_mm: NDArray[np.float64]
    """(N,) `|T(x) - y|`: the errors whose mean is `tre_mm`."""


def place_landmarks(pair: Pair, transform: Transform) -> LandmarkPlaces | None:
    """The landmarks of a pair in the fixed scan; None without landmarks."""
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    if fixed is None or moving is None:
        return None
    affine = transform.affine
    return LandmarkPlaces(
        fixed_ras=fixed,
        before_ras=apply_affine(np.linalg.inv(affine), moving),
        after_ras=invert_points(transform, moving)[0],
        aligned_mm=metrics.landmark_errors_mm(apply_affine(affine, fixed), moving),
        errors_mm=metrics.landmark_errors_mm(transform_points(transform, fixed), moving),
    )
