"""The tracker of a backend whose curves nobody wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NullTracker:
    """Keeps nothing. Implements `lungreg.stores.Tracker`."""

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Do nothing."""

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """Do nothing."""
