"""Make what the next steps need while a GPU computes the present one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from lungreg.devices import use_threads

Item = TypeVar("Item")
Made = TypeVar("Made")

_MOST_HELPERS = 8
"""Each holds a case while it reads it: some 0.3 GB of a large one."""


def helpers_beside(device: torch.device) -> int:
    """Threads that may prepare cases: none beside a CPU, which has better things to do."""
    return 0 if device.type == "cpu" else min(_MOST_HELPERS, torch.get_num_threads())


def made_ahead(
    make: Callable[[Item], Made], items: Iterable[Item], *, helpers: int
) -> Iterator[Made]:
    """The results of `make` in the order of the items, as `map`, made by so many threads.

    At most one more result than there are helpers is in memory. An error is raised where its
    result would come, and ends the iteration.

    Args:
        make: Called in a thread that PyTorch computes in alone.
        items: What it is called with.
        helpers: Number of threads; 0 for none, where each result is made when it is asked for.
    """
    if not helpers:
        yield from map(make, items)
        return
    pool = ThreadPoolExecutor(helpers, initializer=use_threads, initargs=(1,))
    waiting: deque[Future[Made]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > helpers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
