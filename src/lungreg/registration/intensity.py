"""Hounsfield units of a scan, and the intensity window that images are compared after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume, hu_offset
from lungreg.registration.lung_segmentation.chest import copy_chest
from lungreg.registration.lung_segmentation.values import Units
from lungreg.spatial.carrying import PaddedScan
from lungreg.spatial.filters import gaussian
from lungreg.spatial.geometry import Grid

if TYPE_CHECKING:
    import torch

AIR_HU = -1000.0
_FEW_PCT, _NO_AIR_HU = 1.0, -300.0
_PADDING_HU, _CLIPPED_HU = -1700.0, 100.0
TISSUE_HU = (-1000.0, 200.0)
"""Bone and metal beyond it would outweigh the vessels."""


def hounsfield(volume: Volume, offset: float) -> NDArray[np.float32]:
    """Hounsfield units of a scan whose file stores them with an offset (0 or about 1000)."""
    return Units(zero=offset).hounsfield(volume.data)


def units_of(volume: Volume, offset: float, mask: NDArray[Any] | None = None) -> Units:
    """How the values of a scan are read: as Hounsfield units, or as a guess from air and tissue.

    A guess where they are surely in other units, such as 0 to 1 or 8 bits: they do not look like
    Hounsfield units, and none is as low as air is in those.

    Args:
        volume: Values as stored.
        offset: What they lie above Hounsfield units, where they are those.
        mask: (X, Y, Z) labels on the scan's grid, positive in the lungs.
    """
    hu, plain = hounsfield(volume, offset), Units(zero=offset)
    known = hu_offset(hu, mask)
    if known.plausible or known.beside_lungs or np.percentile(hu, _FEW_PCT) < _NO_AIR_HU:
        return plain
    chest = copy_chest(hu, volume.grid, 1.0)
    around = chest.scale.hounsfield(np.array(chest.blanks, dtype=np.float32))
    if ((around > _PADDING_HU) & (around < AIR_HU + _CLIPPED_HU)).any():
        # Of few values, the air around the body is one, and padding has none of its own.
        chest = copy_chest(hu, volume.grid, 1.0, blank=False)
    guess = chest.scale
    as_it_is = guess.exact or (guess.zero == 0 and guess.gain == 1)
    return plain if as_it_is else Units(zero=offset + guess.zero, gain=guess.gain, exact=False)


def tissue_for_grid(
    scan: PaddedScan, grid: Grid, *, beside: Grid, device: torch.device | None = None
) -> PaddedScan:
    """Densities without bone, smoothed for the grid they will be sampled on and the other scan.

    A voxel shows the mean over its length and a slice that over its thickness, so that vessels
    look different in scans of other voxels. Where those of the other scan are longer, this one is
    blurred as much: by a Gaussian of the variance of a box of that length, less its own.

    Args:
        scan: In Hounsfield units.
        grid: A grid of cubic voxels, along any axes.
        beside: Grid of the scan that it is compared with.
        device: Where to compute; None is the CPU.
    """
    clipped = np.clip(scan.values, *TISSUE_HU)
    ratio = grid.spacing_mm / scan.grid.spacing_mm
    along = (scan.grid.directions.T @ beside.directions) * beside.spacing_mm
    longer = (along**2).sum(axis=1) / scan.grid.spacing_mm**2
    variance = np.maximum(ratio**2 - 1, 0) / 4 + np.maximum(longer - 1, 0) / 12
    sigma = np.sqrt(variance)
    if sigma.max() <= 0.1:
        return replace(scan, values=clipped)
    return replace(scan, values=gaussian(clipped, sigma, truncate=3.0, device=device))


def window(hu: NDArray[np.float32], hu_window: tuple[float, float]) -> NDArray[np.float32]:
    """Scale Hounsfield units linearly from a window to 0 to 1, and clip.

    The same values as MONAI's `ScaleIntensityRange`, without importing MONAI.
    """
    low, high = hu_window
    scaled = (hu - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(scaled, 0, 1, out=scaled)
