"""The forward pass of a network, on a GPU in 16 bits where that gives the same displacement.

Half the bytes go through memory, and tensor cores multiply 16-bit numbers fastest. Compilation is
left out: it takes longer than the forward passes of a thousand cases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lungreg.learning.network import predict

MOST_APART_VOX = 0.05
"""Largest distance of a displacement from that in 32 bits."""
_MARGIN = 0.5
"""Share of it that the first case may use: others move more."""
_RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Precision:
    """In which numbers a network computes, and how its volumes lie in memory."""

    dtype: torch.dtype
    """Of convolutions: float32, or 16 bits by autocast."""
    memory_format: torch.memory_format = torch.contiguous_format
    """Channels first or last."""

    def predict(self, network: nn.Module, fixed: Tensor, moving: Tensor) -> Tensor:
        """Displacement (B, 3, X, Y, Z) float32 in voxels of pairs (B, 1, X, Y, Z)."""
        network.to(memory_format=self.memory_format)  # type: ignore[call-overload]  # nothing where it is so
        fixed, moving = (x.contiguous(memory_format=self.memory_format) for x in (fixed, moving))
        autocast = torch.autocast(
            fixed.device.type, self.dtype, enabled=self.dtype is not torch.float32
        )
        with autocast:
            found = predict(network, fixed, moving).float()
        return found.contiguous()


FULL = Precision(dtype=torch.float32)
ON_GPU = (
    FULL,
    Precision(dtype=torch.float16),
    Precision(dtype=torch.float16, memory_format=torch.channels_last_3d),
)


class ForwardPass:
    """A network's forward pass; the first pair decides in which precision the others are computed.

    The fastest is taken whose displacement of the first pair is within half of 0.05 voxels of that
    in float32 everywhere.

    Args:
        network: In evaluation mode.
        precisions: To choose from, float32 first.
    """

    def __init__(self, network: nn.Module, precisions: Sequence[Precision] = (FULL,)) -> None:
        self._network = network
        self._precisions = precisions
        self.chosen: Precision | None = FULL if len(precisions) == 1 else None

    def __call__(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Displacement (B, 3, X, Y, Z) float32 in voxels of pairs (B, 1, X, Y, Z)."""
        if self.chosen is None:
            self.chosen = self._fastest(fixed, moving)
        return self.chosen.predict(self._network, fixed, moving)

    def _fastest(self, fixed: Tensor, moving: Tensor) -> Precision:
        exact, *others = (
            (precision, precision.predict(self._network, fixed, moving))
            for precision in self._precisions
        )
        allowed = _MARGIN * MOST_APART_VOX
        # NaN and infinity, which 16 bits overflow to, are no small distance either.
        close = [
            precision for precision, found in others if bool(apart(found, exact[1]) <= allowed)
        ]
        return min(
            [exact[0], *close],
            key=lambda precision: least_seconds(
                lambda: precision.predict(self._network, fixed, moving), fixed.device
            ),
        )


def apart(one: Tensor, other: Tensor) -> Tensor:
    """The largest distance of two displacements (B, 3, X, Y, Z), in their units."""
    distance: Tensor = torch.linalg.vector_norm(one - other, dim=1).max()
    return distance


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
