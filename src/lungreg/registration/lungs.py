"""Where the lungs of both scans of a pair are, found once for everyone who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume
from lungreg.registration.lung_segmentation import segment_lungs
from lungreg.registration.pair import Pair, hounsfield
from lungreg.spatial.geometry import Grid

LungsFrom = Literal["mask", "threshold", "whole scan"]

_SMALLEST_SHARE = 0.01
"""Of a scan; what is found below it is no pair of lungs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanLungs:
    """The lungs of one scan, and how they are known."""

    inside: NDArray[np.bool_] | None
    """(X, Y, Z) on the scan's grid, not empty; None where nothing looks like lungs."""
    known_from: LungsFrom
    """ "mask", "threshold" (segmented here), or "whole scan": none were found."""
    grid: Grid

    @property
    def or_everything(self) -> NDArray[np.bool_]:
        """(X, Y, Z) the lungs, or the whole scan where none were found."""
        return np.ones(self.grid.shape, dtype=bool) if self.inside is None else self.inside


def fixed_lungs(pair: Pair) -> ScanLungs:
    """The lungs of the fixed scan: its mask or, without a voxel in it, by threshold."""
    return _once(pair, "fixed", pair.fixed, pair.fixed_mask, pair.case.fixed_hu_offset)


def moving_lungs(pair: Pair) -> ScanLungs:
    """The lungs of the moving scan, likewise."""
    return _once(pair, "moving", pair.moving, pair.moving_mask, pair.case.moving_hu_offset)


# Segmenting takes a third of a second, and alignment, refinement, inverse and metrics all ask.
_KNOWN: WeakKeyDictionary[Pair, dict[str, ScanLungs]] = WeakKeyDictionary()


def _once(
    pair: Pair, role: str, scan: Volume, mask: NDArray[Any] | None, hu_offset: float
) -> ScanLungs:
    known = _KNOWN.setdefault(pair, {})
    if role not in known:
        known[role] = _find(scan, mask, hu_offset)
    return known[role]


def _find(scan: Volume, mask: NDArray[Any] | None, hu_offset: float) -> ScanLungs:
    if mask is not None and (mask > 0).any():
        return ScanLungs(inside=np.asarray(mask > 0), known_from="mask", grid=scan.grid)
    found = np.asarray(segment_lungs(hounsfield(scan, hu_offset), scan.grid) > 0)
    if found.mean() > _SMALLEST_SHARE:
        return ScanLungs(inside=found, known_from="threshold", grid=scan.grid)
    return ScanLungs(inside=None, known_from="whole scan", grid=scan.grid)
