"""The workers that train together, as the epochs see them; only the trainer knows Ray's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Workers(Protocol):
    """The workers that share a global batch."""

    @property
    def rank(self) -> int:
        """Index of this worker, from 0."""

    @property
    def count(self) -> int:
        """Number of workers."""

    def sum(self, values: Tensor) -> Tensor:
        """The elementwise sum of a float tensor over all workers; all of them receive it."""


@dataclass(frozen=True, kw_only=True)
class OneWorker:
    """This process alone."""

    rank: int = 0
    count: int = 1

    def sum(self, values: Tensor) -> Tensor:
        """The values themselves."""
        return values
