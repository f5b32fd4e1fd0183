"""Hounsfield units of a scan, and the intensity window that images are compared after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume

AIR_HU = -1000.0


def hounsfield(volume: Volume, offset: float) -> NDArray[np.float32]:
    """Hounsfield units of a scan whose file stores them with an offset (0 or about 1000)."""
    data: NDArray[np.float32] = volume.data
    return data - np.float32(offset) if offset else data


def window(hu: NDArray[np.float32], hu_window: tuple[float, float]) -> NDArray[np.float32]:
    """Scale Hounsfield units linearly from a window to 0 to 1, and clip.

    The same values as MONAI's `ScaleIntensityRange`, without importing MONAI.
    """
    low, high = hu_window
    scaled = (hu - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(scaled, 0, 1, out=scaled)
