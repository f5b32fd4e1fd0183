"""The Tracker protocol: training curves; and a tracker that stores none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Tracker(Protocol):
    """Training curves, for people who compare runs. No other part of lungreg reads them.

    Contract:
        - No case id and no path is ever passed in.
        - `start` of a known run continues it. An error of the tracker never stops a run: it is
          logged once as a warning.
    """

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Begin or continue a run. `params` are the settings, nested as in the config."""

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Add one point to each curve; `step` is the epoch."""

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """End a run: "finished" or "failed", with pointers such as the model version."""


def flattened(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as text by their keys: {"train": {"epochs": 3}} as {"train.epochs": "3"}."""
    flat: dict[str, str] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


@dataclass(frozen=True)
class NullTracker:
    """Stores no curves. Implements `lungreg.stores.Tracker`."""

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Do nothing."""

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """Do nothing."""
