"""Share out loops that numba compiles to as many threads as PyTorch has."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import torch

_R = TypeVar("_R")
_SHARES = 8


@lru_cache
def has_numba() -> bool:
    """Whether numba is there and goes with the installed NumPy, which it checks when imported."""
    try:
        importlib.import_module("numba")
    except ImportError:
        return False
    return True


def run_shares(work: Callable[[int, int], object], count: int) -> None:
    """Do all parts of the numbers from 0 to `count` - 1; what they find, they write themselves."""
    for _ in in_shares(work, 0, count):
        pass


def in_shares(work: Callable[[int, int], _R], first: int, last: int) -> Iterator[_R]:
    """The results of parts of a range, in order; the parts do not depend on the threads.

    Args:
        work: Is given the first number of a part and that after its last one.
        first: First number of the range.
        last: Number after its last one.
    """
    ends = [first + (last - first) * number // _SHARES for number in range(_SHARES + 1)]
    shares = [(a, b) for a, b in pairwise(ends) if a < b]
    threads = min(torch.get_num_threads(), len(shares))
    if threads < 2:
        yield from (work(*share) for share in shares)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda share: work(*share), shares)
