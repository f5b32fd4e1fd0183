"""The JobRunner protocol: jobs on compute that a backend offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from lungreg.config import Config
from lungreg.records import Case, CaseResult, RegistrationJob


@dataclass(frozen=True, kw_only=True)
class ListedJob:
    """One job in a list of jobs."""

    job_id: str
    status: str
    """One of the words of `JobRunner.status`."""
    pool: str
    created_at: datetime | None
    """UTC."""


@runtime_checkable
class JobRunner(Protocol):
    """Jobs on compute of a backend, beside Ray on this machine. Only some backends have one.

    Contract:
        - `submit` returns at once with the job's id; `follow` yields its log lines until it ends;
          `status` is "pending", "running", "done", "failed" or "cancelled".
        - The log of "check" has the line of each check, as `Check.line` gives it.
        - A job's name, arguments and settings name no case, and neither do its log lines.
    """

    def submit(
        self, command: Sequence[str], config: Config, *, pool: str | None = None, nodes: int = 1
    ) -> str:
        """Start `lungreg COMMAND` with a configuration on a compute pool; returns a job id.

        Args:
            command: "train" or "infer", and options beside `--config`; or "check".
            config: Of the job; it is sent as a file.
            pool: A compute pool; None for that of the configuration.
            nodes: Machines, which form one Ray cluster.
        """

    def infer_batch(
        self, job: RegistrationJob, cases: Sequence[Case]
    ) -> Iterator[list[CaseResult]]:
        """Register cases with a stored model in one batch job, and yield rows as they are read.

        When a row is yielded, its files are on the stage. A case that cannot be registered has a
        failed result.

        Raises:
            RunError: The job did not end well; the rows that it left were yielded before.
        """

    def follow(self, job_id: str) -> Iterable[str]:
        """The job's log lines, until it ends."""

    def status(self, job_id: str) -> str:
        """The job's status."""

    def exit_code(self, job_id: str) -> int:
        """The exit code of the command of a job that has ended; 1 where the command never ran."""

    def latest(self, limit: int = 20) -> Sequence[ListedJob]:
        """The latest jobs that were started from lungreg, by anyone, the newest first."""

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that has ended stays as it is."""

    def tidy(self, job_id: str) -> None:
        """Remove the files that were sent with a job, if it has ended; its log stays."""

    def prepare(self) -> None:
        """Scale the Ray cluster around this process to the configured size.

        Called before Ray is used; does nothing where this process does not run in the backend.
        """
