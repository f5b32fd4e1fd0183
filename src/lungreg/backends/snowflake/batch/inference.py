"""Batch inference by Snowflake: a job over cases, and what comes back of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lungreg.backends.snowflake.batch.attempts import Attempt, left_behind, new_attempt
from lungreg.backends.snowflake.batch.order import Order
from lungreg.backends.snowflake.batch.read_back import ReadBack
from lungreg.backends.snowflake.batch.start import start_job
from lungreg.backends.snowflake.connection.faults import is_lost, is_missing
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.lock import StageLock
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import LungregError, RunError, StoreUnavailableError
from lungreg.stores.names import RunNames

if TYPE_CHECKING:
    from lungreg.records import Case, CaseResult, RegistrationJob

_log = logging.getLogger(__name__)
_GONE = "DELETED"
"""Snowflake's status of a job that is no longer there, or never was."""
_STOP_S = 60.0
"""A job that was cancelled has so long to end."""
_LEASE_S = 120
"""A process that was silent for so long no longer minds its run."""

_PATIENCE_S = 5.0
"""Not longer: what another process does meanwhile is no longer among the cases that wait."""


@dataclass(frozen=True)
class BatchInference:
    """Batch jobs of one configuration."""

    source: SessionSource
    pause_s: float = 10.0
    """Between two looks at a running job."""

    def run(self, job: RegistrationJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
        """Register cases in one job; their files are on the stage before their rows are given.

        What an earlier process of the run left behind is waited for and taken first. A case that
        cannot be registered, or whose row is lost or spoiled, gives a failed result. A job that is
        stopped is cancelled, and what was made for it removed; where the account is away, its rows
        cannot be kept, or the job goes on in spite of all, everything stays for the next process.

        Raises:
            RunError: The job did not end well; the rows that it left were given before. Or another
                process has jobs of the run.
            StoreUnavailableError: The account does not answer, or forbids it.
        """
        refusal = RunError(
            "one process at a time takes what the batch jobs of a run give",
            got="another one waits for them",
            mend=f"let it end; if it was killed, try again after {_LEASE_S} s",
        )
        prefix = f"{RunNames(job.run_id).batch}/lock-"
        lock = StageLock(self._stage, prefix, lease_s=_LEASE_S, patience_s=_PATIENCE_S)
        with lock.acquired(refusal):
            yield from self._run(job, {case.case_id: case for case in cases})

    def _run(self, job: RegistrationJob, waiting: dict[str, Case]) -> Iterator[list[CaseResult]]:
        for left in left_behind(self.source.settings, self._stage, job.run_id):
            _log.info("batch job %s was left behind: taking what it gives", left.job_name)
            self._wait(left)
            yield from self._taken(left, waiting)
        if not waiting:
            return
        attempt = new_attempt(self.source.settings, job.run_id)
        order = Order(self.source)
        with self._minded(attempt, order):
            start_job(order, job, [*waiting.values()], attempt)
        status = self._wait(attempt)
        yield from self._taken(attempt, waiting)
        if status != "DONE":
            msg = "a batch job ends as DONE"
            mend = (
                f"see 'lungreg jobs follow {attempt.job_id}', then go on with --resume {job.run_id}"
            )
            raise RunError(msg, got=f"{status}, {len(waiting)} cases are missing", mend=mend)
        if waiting:
            yield [_lost(job, case) for case in waiting.values()]

    def _taken(self, attempt: Attempt, waiting: dict[str, Case]) -> Iterator[list[CaseResult]]:
        """The rows of a job that has ended, of which nothing stays."""
        left = ReadBack(self._stage, attempt)
        yield from left.rows(waiting)
        left.tidy()

    @property
    def _stage(self) -> SnowflakeStage:
        return SnowflakeStage(self.source)

    def _wait(self, attempt: Attempt) -> str:
        """The status with which the job ends, any of the final ones."""
        with self._minded(attempt, Order(self.source)):
            while not _is_final(status := self._status(attempt)):
                time.sleep(self.pause_s)
        return status

    def _status(self, attempt: Attempt) -> str:
        from snowflake.ml.jobs.job import MLJob

        try:
            return self.source.attempt(
                lambda session: str(MLJob[Any](attempt.job_id, session=session).status)
            )
        except StoreUnavailableError as error:
            if not is_missing(error):
                raise
            return _GONE

    @contextmanager
    def _minded(self, attempt: Attempt, order: Order) -> Iterator[None]:
        """Whatever stops the block stops the job; unless the account is away and cannot be told."""
        try:
            yield
        except (KeyboardInterrupt, LungregError) as error:
            is_away = isinstance(error, LungregError) and is_lost(error)
            if not is_away and self._is_stopped(attempt, order):
                ReadBack(self._stage, attempt).tidy()
            else:
                text = "batch job %s is left to itself: --resume %s takes what it gives"
                _log.warning(text, attempt.job_name, attempt.run_id)
            raise

    def _is_stopped(self, attempt: Attempt, order: Order) -> bool:
        """Cancel the job, and what would still make it; whether it has ended in time."""
        give_up = time.monotonic() + _STOP_S
        order.withdraw()
        with suppress(LungregError):
            while time.monotonic() < give_up:
                is_over = order.is_over()  # once it is, no job comes any more
                self._cancel(attempt)
                if _is_final(self._status(attempt)) and is_over:
                    return True
                time.sleep(min(1.0, self.pause_s))
        return False

    def _cancel(self, attempt: Attempt) -> None:
        from snowflake.ml.jobs.job import MLJob

        with suppress(LungregError, RuntimeError):
            self.source.attempt(
                lambda session: MLJob[Any](attempt.job_id, session=session).cancel()
            )


def _is_final(status: str) -> bool:
    from snowflake.ml.jobs.job import TERMINAL_JOB_STATUSES

    return status in TERMINAL_JOB_STATUSES


def _lost(job: RegistrationJob, case: Case) -> CaseResult:
    from lungreg.registration.case import failed_result

    return failed_result(
        job,
        case,
        code="batch_lost",
        message="the batch job gave no row for the case",
        attempt=1,
        worker="",
        started_at=datetime.now(UTC),
    )
