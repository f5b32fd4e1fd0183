"""Separable filters of volumes as PyTorch's operations, for GPUs; `filters` has them for CPUs.

By sums of shifted volumes: a GPU would cut convolutions to TF32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.spatial.filters import Beyond, continued


def filtered(
    volume: Tensor, kernels: Sequence[NDArray[np.float64] | None], *, beyond: Beyond = "nearest"
) -> Tensor:
    """Correlate a volume (X, Y, Z) with a symmetric kernel along each axis.

    Args:
        volume: float32, on any device.
        kernels: For each axis the weights from the middle outwards; None leaves the axis.
        beyond: What the volume continues with.
    """
    for axis, half in enumerate(kernels):
        if half is None:
            continue
        size, reach = volume.shape[axis], len(half) - 1
        index = torch.as_tensor(continued(size, reach, beyond), device=volume.device)
        wide = volume.index_select(axis, index)
        volume = wide.narrow(axis, reach, size) * float(half[0])
        for step in range(1, reach + 1):
            for start in (reach - step, reach + step):
                volume.add_(wide.narrow(axis, start, size), alpha=float(half[step]))
    return volume


def box_mean(volume: Tensor, sides: Sequence[int]) -> Tensor:
    """`scipy.ndimage.uniform_filter(mode="constant")`: means of a box, of zeros beyond the volume.

    Args:
        volume: (X, Y, Z) float32, on any device.
        sides: Of the box in voxels.
    """
    for axis, side in enumerate(sides):
        size, before = volume.shape[axis], side // 2
        total = torch.zeros_like(volume)
        for shift in range(-before, side - before):
            first, last = max(0, -shift), min(size, size - shift)
            if first < last:
                part = volume.narrow(axis, first + shift, last - first)
                total.narrow(axis, first, last - first).add_(part)
        volume = total.div_(side)
    return volume
