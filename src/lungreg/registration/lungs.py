"""The lungs of a scan: from its mask, else segmented by threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume, hu_offset
from lungreg.registration.intensity import hounsfield
from lungreg.registration.lung_segmentation import search_lungs
from lungreg.spatial.geometry import Grid

LungsFrom = Literal["mask", "threshold", "whole scan"]

_TISSUE_ABOVE_HU = -300.0
_NEARLY_ALL = 0.97
_MOST_VOXELS = 300_000
_NO_LUNGS = 0.9
"""Share of the scan's voxels; in a box around them lungs fill about half."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanLungs:
    """The lungs of one scan, and how they are known."""

    inside: NDArray[np.bool_] | None
    """(X, Y, Z) on the scan's grid, not empty; None where no lungs were found."""
    known_from: LungsFrom
    """ "mask", "threshold" (segmented here), or "whole scan" (none were found)."""
    grid: Grid
    """The scan's grid."""
    doubts: tuple[str, ...] = ()
    """What speaks against these lungs or the values in them, in words."""

    @property
    def or_everything(self) -> NDArray[np.bool_]:
        """(X, Y, Z) the lungs, or the whole scan where none were found."""
        return np.ones(self.grid.shape, dtype=bool) if self.inside is None else self.inside


def find_lungs(scan: Volume, mask: NDArray[Any] | None, offset: float) -> ScanLungs:
    """The lungs of a scan: its mask or, where that is missing or empty, segmented by threshold.

    Args:
        scan: Its values as stored.
        mask: (X, Y, Z) labels on the scan's grid, positive in the lungs.
        offset: What stored values lie above Hounsfield units.
    """
    hu = hounsfield(scan, offset)
    if mask is not None and (mask > 0).any():
        inside, doubts = np.asarray(mask > 0), _odd_values(hu, mask)
        if not doubts and inside.mean() > _NO_LUNGS:
            doubts = ("the mask covers nearly all of the scan: it shows no lungs",)
        elif not doubts and _on_one_side(hu, inside, scan.grid):
            doubts = ("the mask holds one lung alone: nothing is known of the other",)
        return ScanLungs(inside=inside, known_from="mask", grid=scan.grid, doubts=doubts)
    found, doubts = search_lungs(hu, scan.grid), _odd_values(hu, None)
    if not found.labels.any():
        return ScanLungs(inside=None, known_from="whole scan", grid=scan.grid, doubts=doubts)
    if found.one_side:
        doubts += ("only one lung was found: nothing is known of the other",)
    inside = np.asarray(found.labels > 0)
    return ScanLungs(inside=inside, known_from="threshold", grid=scan.grid, doubts=doubts)


def _odd_values(hu: NDArray[np.float32], mask: NDArray[Any] | None) -> tuple[str, ...]:
    """What is wrong with a scan's values where they should be Hounsfield units."""
    units = hu_offset(hu, mask)
    if units.beside_lungs:
        return ("most of the mask is denser than lung: is it the mask of this scan?",)
    if not units.plausible or units.offset:
        return ("the values do not look like Hounsfield units",)
    if units.cut_at_hu is not None:
        return (f"the values are cut off at {units.cut_at_hu:.0f} HU: lung and air look alike",)
    return ()


def _on_one_side(hu: NDArray[np.float32], inside: NDArray[np.bool_], grid: Grid) -> bool:
    """Whether nearly all of a mask lies left or right of the middle of the body."""
    step = max(1, round((hu.size / _MOST_VOXELS) ** (1 / 3)))
    few = (slice(None, None, step),) * 3
    across = grid.axis_along(0)
    tissue = np.nonzero(hu[few] > _TISSUE_ABOVE_HU)[across]
    lung = np.nonzero(inside[few])[across]
    if not len(tissue) or not len(lung):
        return False
    right = float((lung > np.median(tissue)).mean())
    return max(right, 1 - right) > _NEARLY_ALL
