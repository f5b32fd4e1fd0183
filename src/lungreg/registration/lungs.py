"""The lungs of a scan: from its mask, else segmented by threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume
from lungreg.registration.intensity import hounsfield
from lungreg.registration.lung_segmentation import segment_lungs
from lungreg.spatial.geometry import Grid

LungsFrom = Literal["mask", "threshold", "whole scan"]

_SMALLEST_SHARE = 0.01
"""Segmented lungs that fill less than this share of a scan are rejected as false."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanLungs:
    """The lungs of one scan, and how they are known."""

    inside: NDArray[np.bool_] | None
    """(X, Y, Z) on the scan's grid, not empty; None where no lungs were found."""
    known_from: LungsFrom
    """ "mask", "threshold" (segmented here), or "whole scan" (none were found)."""
    grid: Grid
    """The scan's grid."""

    @property
    def or_everything(self) -> NDArray[np.bool_]:
        """(X, Y, Z) the lungs, or the whole scan where none were found."""
        return np.ones(self.grid.shape, dtype=bool) if self.inside is None else self.inside


def find_lungs(scan: Volume, mask: NDArray[Any] | None, hu_offset: float) -> ScanLungs:
    """The lungs of a scan: its mask or, where that is missing or empty, segmented by threshold.

    Args:
        scan: Its values as stored.
        mask: (X, Y, Z) labels on the scan's grid, positive in the lungs.
        hu_offset: What stored values lie above Hounsfield units.
    """
    if mask is not None and (mask > 0).any():
        return ScanLungs(inside=np.asarray(mask > 0), known_from="mask", grid=scan.grid)
    found = np.asarray(segment_lungs(hounsfield(scan, hu_offset), scan.grid) > 0)
    if found.mean() > _SMALLEST_SHARE:
        return ScanLungs(inside=found, known_from="threshold", grid=scan.grid)
    return ScanLungs(inside=None, known_from="whole scan", grid=scan.grid)
