"""Training workers as threads of one process, that add up behind a barrier."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
_TIMEOUT_S = 60


@dataclass
class _Meeting:
    """Where the workers of one run put what they add."""

    count: int
    given: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.barrier = threading.Barrier(self.count, timeout=_TIMEOUT_S)


@dataclass(frozen=True)
class ThreadWorker:
    """One of them. Implements `lungreg.learning.workers.Workers`."""

    rank: int
    meeting: _Meeting

    @property
    def count(self) -> int:
        """How many there are."""
        return self.meeting.count

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all workers; whoever does not come makes the others fail."""
        self.meeting.given[self.rank] = values.clone()
        self.meeting.barrier.wait()
        total = torch.stack([self.meeting.given[i] for i in range(self.count)]).sum(dim=0)
        self.meeting.barrier.wait()
        return total


def on_threads(count: int, work: Callable[[ThreadWorker], T]) -> list[T]:
    """What each of several workers gives, in order of rank."""
    meeting = _Meeting(count)
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(work, ThreadWorker(rank, meeting)) for rank in range(count)]
        return [future.result() for future in futures]
