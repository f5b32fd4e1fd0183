"""Where the fine structure of both scans does not go together after registration.

Distinctive places find a partner where `T` is right, and none where the tissue lies far from where
it puts them: the errors of those that find one are small in both cases. Fine structure, what is
left of an image without its local mean, is known at every place. Where whole blocks of the lungs do
not correlate while the others do, tissue was displaced in a way that `T` does not follow (air or
fluid beside the lung, slices in another order, a patient who moved between two parts of a scan), or
the two scans do not show the same.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.registration.images import PairImages
from lungreg.registration.refinement.features import local_mean
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import FloatArray
from lungreg.spatial.mask_box import mask_box
from lungreg.spatial.neighbours import dilated, eroded

_BLOCK_MM = 20.0
_SURROUNDINGS_VOX = 4
_FEWEST_VOXELS = 40
_SMALLEST = 0.25
"""Of a block, that lies in the lungs: less of it is not judged."""
_FEWEST_BLOCKS = 20
_DENSEST_HU = 0.0
"""Beyond, chest wall and bone would decide the structure of the lung beside them."""
_UNLIKE = 0.4
"""Correlation of a block in that of the middle one, below which it is unlike: noise and kernels
lower all of them."""
_LEAST_MIDDLE = 0.25
"""Below, as in strong noise or voxels of a centimetre, blocks differ by chance."""


def unlike_share(
    images: PairImages, shown: NDArray[np.bool_] | None = None, *, device: torch.device = CPU
) -> float | None:
    """Share of the lungs in blocks of 20 mm whose fine structure does not correlate, 0 to 1.

    Not beside padding, nor beside the end of a scan: there it is an edge.

    Args:
        images: Both scans on the fixed grid.
        shown: (X, Y, Z) where the fixed scan is no padding; None where it has none.
        device: Where to compute.

    Returns:
        None where lungs are not known, or too little of them, or hardly any block correlates.
    """
    if images.fixed_mask is None:
        return None
    ends = images.outside if shown is None else images.outside | ~shown
    inside = eroded(images.fixed_mask)
    if ends.any():
        inside &= ~dilated(ends, times=_SURROUNDINGS_VOX)
    if not inside.any():
        return None
    box = mask_box(inside, margin=_SURROUNDINGS_VOX)
    low, high = images.hu_window
    densest = np.float32((_DENSEST_HU - low) / (high - low))
    fixed, warped = (
        _fine(np.minimum(scan[box], densest), device) for scan in (images.fixed, images.warped)
    )
    inside = inside[box]
    blocks = _blocks(inside.shape, images.grid.spacing_mm)[inside]
    counts, correlations = _correlations(blocks, fixed[inside], warped[inside])
    whole = _BLOCK_MM**3 / images.grid.voxel_volume_mm3
    judged = (counts >= max(_FEWEST_VOXELS, _SMALLEST * whole)) & np.isfinite(correlations)
    if judged.sum() < _FEWEST_BLOCKS:
        return None
    counts, correlations = counts[judged], correlations[judged]
    middle = _middle(correlations, counts)
    if middle < _LEAST_MIDDLE:
        return None
    unlike = correlations < _UNLIKE * middle
    return float(counts[unlike].sum() / counts.sum())


def _fine(scan: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    part = torch.from_numpy(scan).to(device)[None, None]
    return np.asarray((part - local_mean(part))[0, 0].cpu().numpy())


def _blocks(shape: tuple[int, ...], spacing_mm: FloatArray) -> NDArray[np.int64]:
    """(X, Y, Z) the number of the block that each voxel lies in."""
    along = [
        (np.arange(n) * mm // _BLOCK_MM).astype(np.int64)
        for n, mm in zip(shape, spacing_mm, strict=True)
    ]
    x, y, z = np.ix_(*along)
    return np.asarray((x * (along[1][-1] + 1) + y) * (along[2][-1] + 1) + z)


def _correlations(
    blocks: NDArray[np.int64], one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Number of voxels and correlation of two images (N,) in each block, from sums."""
    count = np.bincount(blocks).astype(np.float64)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.bincount(blocks, weights=values, minlength=len(count)) / np.maximum(count, 1)

    a, b = mean(one), mean(other)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((mean(one * one) - a**2) * (mean(other * other) - b**2))
        return count, (mean(one * other) - a * b) / spread


def _middle(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The weighted median."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
