"""Arrays on a GPU, for what is computed there. PyTorch is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def on_gpu(device: torch.device | None) -> bool:
    """Whether PyTorch computes, and not NumPy: on anything but a CPU."""
    return device is not None and device.type != "cpu"


def tensors(device: torch.device | None, *arrays: NDArray[Any]) -> tuple[Tensor, ...]:
    """Arrays as tensors on a device; float64 as float32, which every device has."""
    import torch

    narrow = (it.astype(np.float32) if it.dtype == np.float64 else it for it in arrays)
    return tuple(torch.as_tensor(np.ascontiguousarray(it), device=device) for it in narrow)
