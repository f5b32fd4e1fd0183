"""Compute that only some backends have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lungreg.records import Case, CaseResult

if TYPE_CHECKING:
    from lungreg.config import Config
    from lungreg.records import RegistrationJob


@dataclass(frozen=True, kw_only=True)
class ListedJob:
    """One job as a list of them tells it."""

    job_id: str
    status: str
    """As `JobRunner.status` says it."""
    pool: str
    created_at: datetime | None
    """UTC."""


@runtime_checkable
class JobRunner(Protocol):
    """Compute that a backend offers beside this machine's Ray. Only some backends have one.

    Contract:
        - `submit` returns at once with the job's id; `follow` yields its log lines until it ends;
          `status` is "pending", "running", "done", "failed" or "cancelled".
        - A job's name, arguments and settings name no case, and neither do its log lines.
    """

    def submit(
        self, command: Sequence[str], config: Config, *, pool: str | None = None, nodes: int = 1
    ) -> str:
        """Start `lungreg COMMAND` with a configuration on a compute pool; returns a job id.

        Args:
            command: "train" or "infer", and options beside `--config`.
            config: What the job runs with; it travels as a file.
            pool: None takes the configuration's own.
            nodes: Machines, which form one Ray cluster.
        """

    def infer_batch(
        self, job: RegistrationJob, cases: Sequence[Case]
    ) -> Iterator[list[CaseResult]]:
        """Register cases with a stored model in one batch job, rows as they are read back.

        When a row is given, its files are on the stage. A case that cannot be registered gives a
        failed result.

        Raises:
            RunError: The job did not end well; what it left was given before.
        """

    def follow(self, job_id: str) -> Iterable[str]:
        """The job's log lines, until it ends."""

    def status(self, job_id: str) -> str:
        """What has become of the job."""

    def exit_code(self, job_id: str) -> int:
        """The exit code of the command of a job that has ended; 1 where it never came to one."""

    def latest(self, limit: int = 20) -> Sequence[ListedJob]:
        """The latest jobs that were started from lungreg, by anyone, the newest first."""

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that has ended stays as it is."""

    def tidy(self, job_id: str) -> None:
        """Remove what a job was sent, if it has ended; its log stays."""

    def prepare(self) -> None:
        """Bring the cluster around this process to the size that the configuration asks for.

        Called before Ray is used; nothing happens where the backend does not run this process.
        """
