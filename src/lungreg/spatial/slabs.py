"""Arrays cut into slabs, so that the memory of a computation stays small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod


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
