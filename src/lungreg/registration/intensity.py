"""Hounsfield units of a scan, and the intensity window that images are compared after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume
from lungreg.spatial.carrying import PaddedScan
from lungreg.spatial.filters import gaussian
from lungreg.spatial.geometry import Grid

if TYPE_CHECKING:
    import torch

AIR_HU = -1000.0
TISSUE_HU = (-1000.0, 200.0)
"""Bone and metal beyond it would outweigh the vessels."""


def hounsfield(volume: Volume, offset: float) -> NDArray[np.float32]:
    """Hounsfield units of a scan whose file stores them with an offset (0 or about 1000)."""
    data: NDArray[np.float32] = volume.data
    return data - np.float32(offset) if offset else data


def tissue_for_grid(
    scan: PaddedScan, grid: Grid, *, device: torch.device | None = None
) -> PaddedScan:
    """Densities without bone, smoothed for the spacing of the grid they will be sampled on.

    Args:
        scan: In Hounsfield units.
        grid: A grid of cubic voxels, along any axes.
        device: Where to compute; None is the CPU.
    """
    clipped = np.clip(scan.values, *TISSUE_HU)
    ratio = grid.spacing_mm / scan.grid.spacing_mm
    sigma = 0.5 * np.sqrt(np.maximum(ratio**2 - 1, 0))
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
