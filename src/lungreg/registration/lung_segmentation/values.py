"""What the stored values of a scan mean: Hounsfield units, and which of them show nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from lungreg.formats.volumes import hu_offset
from lungreg.spatial.neighbours import dilated, eroded, opened

AIR_BELOW_HU = -320.0
_AIR_MODE_HU, _TISSUE_MODE_HU = -900.0, 20.0
_WAY_TO_TISSUE = (AIR_BELOW_HU - _AIR_MODE_HU) / (_TISSUE_MODE_HU - _AIR_MODE_HU)
_VALLEY = (0.05, 0.63)
_SATURATED = 0.15
"""Share of the lower values that is one value in one piece, where a window cut off lung."""
_LEAST_CONTRAST = 0.22
"""Of tissue to lung, as a share of that to the lowest value: fat and muscle differ by less."""
_LEAST_PARTED = 0.7
"""Otsu's measure of a threshold: 0.64 for noise without two kinds of values, 1 for two values."""
_BINS = 256
_TISSUE_HU = (-250.0, 200.0)
_BONE_HU, _LEAST_FAT = 300.0, 0.01
BELOW_AIR_HU = -1150.0
_BLANK_SHARE = 0.05
_LEAST_BLANK = 0.002
"""Share of the volume in one piece that is blank; noise cut off at one value makes many."""
_SAME_VALUE = 1e-4
_MOST_VALUES = 200_000


BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Units:
    """HU = (stored value - `zero`) * `gain`."""

    zero: float
    gain: float = 1.0
    exact: bool = True
    """False where both were guessed from air and tissue: the scan is in other units."""

    def stored(self, hu: float) -> float:
        """The stored value of Hounsfield units."""
        return hu / self.gain + self.zero

    def hounsfield(self, stored: NDArray[np.float32]) -> NDArray[np.float32]:
        """Hounsfield units of stored values, which are not copied where they are just that."""
        values = stored - np.float32(self.zero) if self.zero else stored
        return values if self.gain == 1 else values * np.float32(self.gain)


@dataclass(frozen=True, kw_only=True)
class Scale(Units):
    """Units, and what is air in them."""

    air_below: float
    """The stored value below which a voxel is air or lung."""


def find_scale(stored: NDArray[Any], coarse: NDArray[np.float32], blank: BoolArray) -> Scale:
    """How the values of a chest scan are to be read.

    Hounsfield units, with an offset or without, are recognised by `hu_offset`. Anything else (an
    intensity window carried to 0..1, 8 bits, standard scores) has two kinds of values, air with
    lung and tissue, which Otsu's threshold (1979, doi:10.1109/TSMC.1979.4310076) parts. Where it
    cannot, the values are taken as they are.

    Args:
        stored: (X, Y, Z) values of a scan.
        coarse: (A, B, C) a coarse copy of it.
        blank: (A, B, C) where that copy shows nothing.
    """
    known = hu_offset(stored)
    if known.plausible:
        air_below = AIR_BELOW_HU + known.offset
        return Scale(zero=known.offset, gain=1.0, air_below=air_below, exact=True)
    as_it_is = Scale(zero=0.0, gain=1.0, air_below=AIR_BELOW_HU, exact=False)
    shown = coarse[~blank]
    if shown.size == 0 or _hounsfield_without_air(shown):
        return as_it_is
    low, tissue, parted = _two_kinds(shown)
    far = tissue - min(low, float(coarse.min()))
    if parted < _LEAST_PARTED or tissue - low < _LEAST_CONTRAST * far:
        return as_it_is
    gain = (_TISSUE_MODE_HU - _AIR_MODE_HU) / (tissue - low)
    air_below = low + _WAY_TO_TISSUE * (tissue - low)
    lowest = (coarse <= shown.min() + _SAME_VALUE * far) & ~blank
    if np.count_nonzero(eroded(lowest)) > _SATURATED * np.count_nonzero(shown < air_below):
        air_below = _valley(shown, float(shown.min()), tissue)
    zero = tissue - _TISSUE_MODE_HU / gain
    return Scale(zero=zero, gain=gain, air_below=air_below, exact=False)


def blank_values(faces: NDArray[Any]) -> tuple[list[float], float]:
    """Values that fill a good part of a scan's sides: padding, a frame, or air that was clipped.

    Args:
        faces: Stored values on the sides of the scan.

    Returns:
        The values, and how far from one a voxel may lie to count as the same.
    """
    sample = faces[:: max(1, -(-faces.size // _MOST_VALUES))].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return [], 0.0
    same = max(float(np.ptp(sample)), 1e-6) * _SAME_VALUE
    values, counts = np.unique(np.round(sample / same), return_counts=True)
    return (values[counts >= _BLANK_SHARE * sample.size] * same).tolist(), same


def is_one_of(stored: NDArray[Any], values: list[float], same: float) -> BoolArray:
    """Where stored values are one of some values, but for rounding."""
    found = np.zeros(stored.shape, dtype=bool)
    for value in values:
        found |= np.abs(stored - np.float32(value)) <= same
    return found


def side_values(stored: NDArray[Any], upward: int) -> NDArray[Any]:
    """Values on the four faces (left, right, back and front) along the axis from feet to head.

    Args:
        stored: (X, Y, Z) values of a scan.
        upward: Its axis from feet to head.
    """
    across = [axis for axis in range(3) if axis != upward]
    return np.concatenate(
        [np.take(stored, end, axis=axis).ravel() for axis in across for end in (0, -1)]
    )


def from_the_sides(same: BoolArray) -> BoolArray:
    """Those voxels (A, B, S) that hang together with a face across the first or second axis."""
    if not same.any():
        return same
    # Clipped voxels of a lung are single ones; through them blankness would leak into it.
    core = opened(np.pad(same, 2, mode="edge"))[2:-2, 2:-2, 2:-2]
    pieces, count = label(dilated(core) & same)
    keep = np.zeros(count + 1, dtype=bool)
    for face in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        keep[face.ravel()] = True
    keep &= np.bincount(pieces.ravel(), minlength=count + 1) > _LEAST_BLANK * same.size
    keep[0] = False
    return np.asarray(keep[pieces])


def with_mixed(blank: BoolArray, hu: NDArray[np.float32]) -> BoolArray:
    """Blank voxels (X, Y, Z), and voxels beside them that are means of padding and of tissue."""
    return blank | (dilated(blank) & (hu < BELOW_AIR_HU))


def _two_kinds(stored: NDArray[Any]) -> tuple[float, float, float]:
    """Mean of the lower and of the upper values about Otsu's threshold, and his measure of it."""
    finite = stored[np.isfinite(stored)]
    ends = np.percentile(finite, (1, 99)) if finite.size else np.zeros(2)
    counts, edges = np.histogram(np.clip(finite, *ends), bins=_BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts)[:-1], counts.sum()
    mass = np.cumsum(counts * middles)
    means = mass[:-1] / np.maximum(below, 1), (mass[-1] - mass[:-1]) / np.maximum(total - below, 1)
    between = below * (total - below) * (means[1] - means[0]) ** 2
    best = int(between.argmax())
    spread = np.sum(counts * (middles - mass[-1] / max(total, 1)) ** 2) * total
    return float(means[0][best]), float(means[1][best]), float(between[best] / max(spread, 1e-12))


def _hounsfield_without_air(stored: NDArray[Any]) -> bool:
    """Whether a scan holds soft tissue, fat and bone but no air, such as the inside of a belly."""
    tissue = np.mean((stored >= _TISSUE_HU[0]) & (stored <= _TISSUE_HU[1]))
    fat = np.mean(stored < 0)
    return bool(tissue > 0.5 and fat > _LEAST_FAT and stored.max() > _BONE_HU)


def _valley(shown: NDArray[np.float32], low: float, tissue: float) -> float:
    """The rarest value on the way from lung, which is one value, to tissue: below that of fat."""
    first, last = (low + share * (tissue - low) for share in _VALLEY)
    counts, edges = np.histogram(shown, bins=_BINS // 8, range=(first, last))
    smooth = np.convolve(np.pad(counts, 1, mode="edge"), np.ones(3), mode="valid")
    best = int(smooth.argmin())
    return float(edges[best] + edges[best + 1]) / 2
