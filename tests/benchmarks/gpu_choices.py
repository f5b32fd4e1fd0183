"""What decides how a device is used: the network's precisions, and the ways of a scan to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lungreg.config import Config
from lungreg.learning.forward_pass import FULL, ON_GPU, Precision, apart
from lungreg.learning.network import build_network

_RUNS = 3
Pass = Callable[[Tensor, Tensor], Tensor]


def forward_passes(config: Config, device: torch.device) -> list[dict[str, Any]]:
    """Milliseconds of each way to compute a random pair, and how far its displacement is off."""
    network = build_network(
        config.network.model_copy(update={"out_kernel_initializer": "kaiming_uniform"})
    )
    network.to(device).eval()
    shape = (1, 1, *config.preprocessing.spatial_size)
    fixed, moving = torch.rand(shape, device=device), torch.rand(shape, device=device)
    rows = []
    with torch.inference_mode():
        exact = FULL.predict(network, fixed, moving)
        for name, forward in _ways(network, device):
            started = time.perf_counter()
            found = forward(fixed, moving)
            first_s = time.perf_counter() - started
            seconds = least_seconds(lambda f=forward: f(fixed, moving), device)  # type: ignore[misc]
            rows.append(
                {
                    "way": name,
                    "ms": round(1e3 * seconds, 2),
                    "first_s": round(first_s, 2),
                    "apart_vox": round(float(apart(found, exact)), 5),
                    "longest_vox": round(float(apart(exact, torch.zeros_like(exact))), 2),
                }
            )
    return rows


def _ways(network: nn.Module, device: torch.device) -> Iterator[tuple[str, Pass]]:
    """Those that inference chooses from, then those that were left out."""
    yield "float32", lambda *pair: FULL.predict(network, *pair)
    if device.type == "cpu":
        half = Precision(dtype=torch.bfloat16)
        yield "bfloat16", lambda *pair: half.predict(network, *pair)
        return
    half, tf32 = ON_GPU
    yield "TF32", lambda *pair: tf32.predict(network, *pair)
    yield "float16", lambda *pair: half.predict(network, *pair)
    compiled: nn.Module = torch.compile(network)  # type: ignore[assignment]
    yield "float16, compiled", lambda *pair: half.predict(compiled, *pair)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def channels_last(*pair: Tensor) -> Tensor:
        last = [scan.contiguous(memory_format=torch.channels_last_3d) for scan in pair]
        return half.predict(network, *last)

    yield "float16, channels last", channels_last


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


def least_seconds(work: Callable[[], object], device: torch.device) -> float:
    """The least wall time of a few runs, each until the device has finished."""
    took = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took.append(time.perf_counter() - started)
    return min(took)
