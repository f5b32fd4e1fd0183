"""The measures of a registration as functions of arrays, and the 30 % tail of a cohort.

Images and masks are on the fixed scan's grid. An input without which a measure has no meaning (an
empty fixed mask, arrays of different shapes) is a `DataError`; what a bad registration leaves
undefined (no voxel of the moving mask arrived) is `None`, as in the result table.

The functions are imported on first use: words about measures (`metrics.measures`) need no NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungreg.lazy import on_first_use

if TYPE_CHECKING:
    from lungreg.metrics.cohort import tail_30
    from lungreg.metrics.intensity import ncc, residual_difference, ssim
    from lungreg.metrics.landmarks import LandmarkSummary, landmark_errors_mm, landmark_summary
    from lungreg.metrics.overlap import dice, hd95_mm
    from lungreg.metrics.volume_change import (
        JacobianSummary,
        jacobian_summary,
        lung_volume_ml,
        sdlogj_learn2reg,
        volume_ratio,
    )

_HOMES = {
    "cohort": ("tail_30",),
    "intensity": ("ncc", "residual_difference", "ssim"),
    "landmarks": ("LandmarkSummary", "landmark_errors_mm", "landmark_summary"),
    "overlap": ("dice", "hd95_mm"),
    "volume_change": (
        *("JacobianSummary", "jacobian_summary", "lung_volume_ml", "sdlogj_learn2reg"),
        "volume_ratio",
    ),
}

__all__ = [
    "JacobianSummary",
    "LandmarkSummary",
    "dice",
    "hd95_mm",
    "jacobian_summary",
    "landmark_errors_mm",
    "landmark_summary",
    "lung_volume_ml",
    "ncc",
    "residual_difference",
    "sdlogj_learn2reg",
    "ssim",
    "tail_30",
    "volume_ratio",
]


def __getattr__(name: str) -> object:
    """Import a name on first use."""
    return on_first_use(__name__, _HOMES, name)
