"""The Scheduler protocol: jobs that start by the clock where there is something to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lungreg.config import Config


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule in a list."""

    name: str
    state: str
    """"suspended" or "started"."""
    cron: str
    """As it was given."""
    waits_for: str
    """What must be new for a job to start."""


@runtime_checkable
class Scheduler(Protocol):
    """Schedules on compute of a backend. Only some backends have one.

    Contract:
        - A command has one schedule: `make` replaces it. It is suspended until it is resumed.
        - A job starts at its times where files came since the last one started, and registers only
          cases that are new. Where none came, no node starts.
        - Names, arguments and settings name no case.
    """

    def make(
        self, command: str, config: Config, *, cron: str, pool: str | None = None, nodes: int = 1
    ) -> str:
        """Make the schedule of "ingest" or "infer", suspended; returns its name.

        Args:
            command: What the job runs.
            config: Of the job; it is sent as a file.
            cron: Such as "USING CRON 0 2 * * * Europe/Berlin".
            pool: A compute pool; None for that of the configuration.
            nodes: Machines of the job.
        """

    def schedules(self) -> Sequence[Schedule]:
        """Those that this role may see."""

    def resume(self, name: str) -> None:
        """Let a schedule start jobs."""

    def suspend(self, name: str) -> None:
        """Let a schedule start no more jobs; one that runs goes on."""

    def drop(self, name: str) -> None:
        """Remove a schedule and what its job was sent."""
