"""Work cut into parts: slabs of arrays, so that memory stays small, and what is begun at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def at_once(device: torch.device, many: int) -> int:
    """How many small things to compute at once: one stays near a CPU, many are begun by a GPU.

    A GPU takes longer to begin one than to compute it.

    Args:
        device: Where they are computed.
        many: Number for a GPU; at least one is taken.
    """
    return 1 if device.type == "cpu" else max(1, many)


def slabs(shape: Sequence[int], at_once: int) -> Iterator[tuple[int, int]]:
    """Slabs of an array along its first axis, in order, that together cover it.

    Args:
        shape: Of the array; (N,) cuts N points.
        at_once: Most elements of a slab. One index of the first axis is never divided.

    Yields:
        First index of a slab, and one past its last.
    """
    step = max(1, at_once // prod(shape[1:]))
    for start in range(0, shape[0], step):
        yield start, min(start + step, shape[0])
