"""Target registration error: how far carried landmarks end from their partners."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.spatial.geometry import FloatArray


class LandmarkSummary(NamedTuple):
    """Target registration error of one pair."""

    mean_mm: float
    median_mm: float
    p95_mm: float
    """95th percentile, linear between the two nearest errors."""
    max_mm: float


def landmark_errors_mm(moved_ras: FloatArray, target_ras: FloatArray) -> NDArray[np.float64]:
    """(N,) distance between each carried landmark and its partner, in mm.

    Args:
        moved_ras: (N, 3) fixed landmarks carried by `T`, RAS mm.
        target_ras: (N, 3) the moving landmarks, RAS mm.

    Raises:
        DataError: The lists differ in length or are not (N, 3).
    """
    if moved_ras.ndim != 2 or moved_ras.shape[1] != 3 or moved_ras.shape != target_ras.shape:
        msg = "landmarks are two lists of one shape (N, 3)"
        raise DataError(msg, got=f"{moved_ras.shape} and {target_ras.shape}")
    difference = np.asarray(moved_ras, dtype=np.float64) - target_ras
    return np.asarray(np.linalg.norm(difference, axis=1))


def landmark_summary(errors_mm: FloatArray) -> LandmarkSummary:
    """Mean, median, 95th percentile and largest of landmark errors (N,) in mm.

    Raises:
        DataError: There is no landmark.
    """
    if errors_mm.size == 0:
        msg = "a landmark error needs at least one landmark"
        raise DataError(msg, got="none")
    return LandmarkSummary(
        mean_mm=float(np.mean(errors_mm)),
        median_mm=float(np.median(errors_mm)),
        p95_mm=float(np.percentile(errors_mm, 95)),
        max_mm=float(np.max(errors_mm)),
    )
