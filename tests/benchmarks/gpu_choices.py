"""What decides how a device is used: the network's precisions, and the ways of a scan to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lungreg.config import Config
from lungreg.learning.forward_pass import FULL, ON_GPU, Precision, apart, least_seconds
from lungreg.learning.network import build_network

_ON_CPU = (
    FULL,
    Precision(dtype=torch.bfloat16),
    Precision(dtype=torch.float32, memory_format=torch.channels_last_3d),
)


def forward_passes(config: Config, device: torch.device) -> list[dict[str, Any]]:
    """Milliseconds of each precision on a random pair, and how far its displacement is off."""
    network = build_network(
        config.network.model_copy(update={"out_kernel_initializer": "kaiming_uniform"})
    )
    network.to(device).eval()
    shape = (1, 1, *config.preprocessing.spatial_size)
    fixed, moving = torch.rand(shape, device=device), torch.rand(shape, device=device)
    rows = []
    with torch.inference_mode():
        exact = FULL.predict(network, fixed, moving)
        for precision in ON_GPU if device.type == "cuda" else _ON_CPU:
            found = precision.predict(network, fixed, moving)
            seconds = least_seconds(lambda p=precision: p.predict(network, fixed, moving), device)  # type: ignore[misc]
            rows.append(
                {
                    "dtype": str(precision.dtype),
                    "memory_format": str(precision.memory_format),
                    "ms": round(1e3 * seconds, 2),
                    "apart_vox": round(float(apart(found, exact)), 5),
                    "longest_vox": round(float(apart(exact, torch.zeros_like(exact))), 2),
                }
            )
    return rows


def uploads_ms(shape: tuple[int, int, int], device: torch.device) -> dict[str, float]:
    """Of a scan that is in memory as float32: as it is, or turned into 16-bit integers first."""
    scan = np.random.default_rng(0).integers(-1024, 3000, shape).astype(np.float32)

    def short() -> torch.Tensor:
        small = torch.as_tensor(scan).to(torch.int16)
        small = small.pin_memory() if device.type == "cuda" else small
        return small.to(device, non_blocking=True).float()

    return {
        "float32": round(
            1e3 * least_seconds(lambda: torch.as_tensor(scan).to(device, copy=True), device), 2
        ),
        "int16, pinned": round(1e3 * least_seconds(short, device), 2),
    }
