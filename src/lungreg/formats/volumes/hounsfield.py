"""Detect whether a scan is in Hounsfield units or stored with an offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.spatial.geometry import FloatArray

OFFSET = 1000.0
OFFSET_CT_NUMBER = 1024.0
"""Of files that keep a DICOM scan's stored numbers without its intercept of -1024."""

_PADDING_BELOW = -1200.0
_LUNG_HU = (-1100.0, -300.0)
_LUNG_SHIFTED = (-50.0, 700.0)
_TISSUE_HU = (-250.0, 200.0)
_TISSUE_SHIFTED = (750.0, 1250.0)
_NEGATIVE_LUNG = (500.0, 950.0)
_DENSER_THAN_AIR = -750.0
_MIN_CUT_SHARE = 0.05
_MIN_LUNG_SHARE = 0.01
_MIN_TISSUE_SHARE = 0.03
_MIN_SHIFTED_SHARE = 0.3
"""Both of what is denser than lung."""
_MIN_SHIFTED_OF_ALL = 0.05
_DENSEST_TISSUE = 100.0
_MAX_SAMPLES = 4_000_000


@dataclass(frozen=True, kw_only=True)
class HuVerdict:
    """The offset of a scan's values from Hounsfield units."""

    offset: float
    """HU = stored value - offset: 0, 1000 or 1024."""
    plausible: bool
    """Whether values minus `offset` look like a thorax in Hounsfield units."""
    cut_at_hu: float | None = None
    """Where an intensity window cut off the values of lung and air alike; None for none."""
    beside_lungs: bool = False
    """Whether the values are plausible by themselves, and not in the mask that was given."""


def hu_offset(values: NDArray[Any], mask: NDArray[Any] | None = None) -> HuVerdict:
    """Detect an offset of 1000 or 1024 in a scan's values.

    Lungs lie between -1000 and -400 HU and soft tissue near 40 HU, so in a scan with an offset
    hardly anything is below -300 and soft tissue lies near 1000. Padding outside the field of
    view (-2000, -3024, or the lowest value) is left out of the shares.

    Args:
        values: (X, Y, Z) real values.
        mask: (X, Y, Z) lungs, positive inside, on the same grid; it makes the verdict more certain.

    Raises:
        DataError: A mask of another shape.
    """
    if mask is not None and mask.shape != values.shape:
        msg = f"a mask of this scan has shape {values.shape}"
        raise DataError(msg, got=mask.shape)
    step = max(1, int(np.ceil((values.size / _MAX_SAMPLES) ** (1 / 3))))
    sample = np.asarray(values[::step, ::step, ::step], dtype=np.float32)
    inside = None if mask is None else mask[::step, ::step, ::step] > 0
    shown = _without_padding(sample)
    if shown.size == 0:
        return HuVerdict(offset=0.0, plausible=False)
    has_lung_hu = _share(shown, _LUNG_HU) >= _MIN_LUNG_SHARE
    is_shifted = not has_lung_hu and _looks_shifted(shown)
    if inside is not None and inside.any():
        median = float(np.nanmedian(sample[inside]))
        is_hu = _LUNG_HU[0] <= median <= _LUNG_HU[1]
        is_shifted &= _LUNG_SHIFTED[0] <= median <= _LUNG_SHIFTED[1]
    else:
        is_hu = has_lung_hu and _looks_like_hu(shown)
    offset = _which_offset(shown) if is_shifted and not is_hu else 0.0
    plausible = is_hu or is_shifted
    return HuVerdict(
        offset=offset,
        plausible=plausible,
        cut_at_hu=_cut_at_hu(sample, offset) if plausible else None,
        beside_lungs=not plausible and (_looks_like_hu if has_lung_hu else _looks_shifted)(shown),
    )


def _without_padding(sample: FloatArray) -> FloatArray:
    finite = sample[np.isfinite(sample) & (sample > _PADDING_BELOW)]
    return finite if finite.size == 0 else finite[finite > finite.min()]


def _cut_at_hu(sample: FloatArray, offset: float) -> float | None:
    """The lowest value, without padding, where it is too dense for air and yet frequent."""
    finite = sample[np.isfinite(sample) & (sample > _PADDING_BELOW)]
    lowest = finite.min()
    cut = lowest - offset > _DENSER_THAN_AIR and np.mean(finite == lowest) >= _MIN_CUT_SHARE
    return float(lowest - offset) if cut else None


def _looks_like_hu(shown: FloatArray) -> bool:
    """Whether what is denser than lung holds soft tissue, and less is as dense as bone than lung.

    The share is that among the denser values: little tissue is left where all around the lungs was
    blanked. In a negative, lungs are where bone should be.
    """
    dense = shown[shown > _LUNG_HU[1]]
    if dense.size == 0 or _share(dense, _TISSUE_HU) < _MIN_TISSUE_SHARE:
        return False
    return _share(shown, _NEGATIVE_LUNG) <= _share(shown, _LUNG_HU)


def _looks_shifted(shown: FloatArray) -> bool:
    """Whether soft tissue lies near 1000, or lungs alone are shown where they then lie.

    Where values are cut off at 0 HU, bones lie near 1000, and soft tissue where lungs would.
    """
    dense = shown[shown > _LUNG_SHIFTED[1]]
    if dense.size == 0 or _share(shown, _LUNG_SHIFTED) < _MIN_LUNG_SHARE:
        return False
    if _share(dense, _TISSUE_SHIFTED) < _MIN_SHIFTED_SHARE:
        return False
    lungs = shown[(shown > 0) & (shown <= _LUNG_SHIFTED[1])]
    much = _share(shown, _TISSUE_SHIFTED) >= _MIN_SHIFTED_OF_ALL
    return much or float(np.median(lungs)) > _DENSEST_TISSUE


def _share(shown: FloatArray, bounds: tuple[float, float]) -> float:
    return float(np.mean((shown >= bounds[0]) & (shown <= bounds[1])))


def _which_offset(shown: FloatArray) -> float:
    """1000 or 1024: air lies at 0 with the first offset and at 24 with the second.

    Voxels are counted just above 0 and around 24, in windows of one width; none below 0, where
    values may have been clipped.
    """
    step = (OFFSET_CT_NUMBER - OFFSET) / 4
    near_0 = _share(shown, (0.0, 2 * step))
    near_24 = _share(shown, (3 * step, 5 * step))
    return OFFSET_CT_NUMBER if near_24 > near_0 else OFFSET
