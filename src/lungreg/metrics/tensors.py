"""Arrays on a GPU, for measures that are computed there. PyTorch is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.geometry import FloatArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_PAIRS_AT_ONCE = 1 << 25
"""Distances: 130 MB."""


def on_gpu(device: torch.device | None) -> bool:
    """Whether a measure is computed by PyTorch: on anything but a CPU."""
    return device is not None and device.type != "cpu"


def tensors(device: torch.device | None, *arrays: NDArray[Any]) -> tuple[Tensor, ...]:
    """Arrays as tensors on a device; float64 as float32, which every device has."""
    import torch

    narrow = (it.astype(np.float32) if it.dtype == np.float64 else it for it in arrays)
    return tuple(torch.as_tensor(np.ascontiguousarray(it), device=device) for it in narrow)


def nearest_distances(points: Tensor, others: Tensor) -> FloatArray:
    """(N,) distances of points (N, 3) to the nearest of others (M, 3), by trying them all."""
    import torch

    found = [points.new_empty(0)]
    for part in points.split(max(1, _PAIRS_AT_ONCE // len(others))):
        squares = torch.zeros(len(part), len(others), device=part.device)
        for axis in range(3):
            squares.add_((part[:, axis, None] - others[:, axis]).square_())
        found.append(squares.amin(dim=1).sqrt())
    return np.asarray(torch.cat(found).cpu().numpy(), dtype=np.float64)
