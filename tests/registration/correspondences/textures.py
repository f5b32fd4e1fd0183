"""Volumes of smooth noise, in which every place looks different."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, shift
from torch import Tensor


def texture(shape: tuple[int, int, int] = (40, 36, 38), *, seed: int = 0) -> Tensor:
    """(X, Y, Z) noise of 1.2 voxels' correlation, about -900 to -500."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, 1.2)
    return torch.as_tensor(-700 + 100 * smooth / smooth.std(), dtype=torch.float32)


def moved(volume: Tensor, steps: tuple[float, float, float]) -> Tensor:
    """The volume whose content lies `steps` voxels further along each axis."""
    return torch.as_tensor(shift(volume.numpy(), steps, order=3, mode="nearest"))
