"""Batch inference: run one job over cases, with its lock, its waiting and its results."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lungreg.backends.snowflake.batch.batch_job import (
    BatchJob,
    new_job,
    unfinished_jobs,
)
from lungreg.backends.snowflake.batch.read_back import ReadBack
from lungreg.backends.snowflake.batch.start import start_job
from lungreg.backends.snowflake.batch.statements import JobStatements
from lungreg.backends.snowflake.connection.faults import is_lost, is_missing
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.lock import StageLock
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import LungregError, RunError, StoreUnavailableError
from lungreg.records import Case, CaseResult, RegistrationJob, counted
from lungreg.stores.names import RunNames

_log = logging.getLogger(__name__)
_GONE = "DELETED"
"""Snowflake's status of a job that is no longer there, or never was."""
STOP_S = 60.0
"""A job that was cancelled has so long to end."""
_LEASE_S = 120
"""After so long without a renewal a run's batch jobs are free for another process."""
_PATIENCE_S = 5.0
"""Not longer: the cases that another process registers meanwhile would be registered again."""


@dataclass(frozen=True)
class BatchInference:
    """Batch jobs of one configuration."""

    source: SessionSource
    pause_s: float = 10.0
    """Between two looks at a running job."""

    def run(self, job: RegistrationJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
        """Register cases in one job; their files are on the stage before their rows are yielded.

        Jobs that an earlier process of the run left unfinished are waited for and read back first.
        A case that cannot be registered, or whose row is lost or damaged, has a failed result. When
        the run is stopped, the job is cancelled and its files are deleted. Where the account does
        not answer, the rows cannot be written, or the job goes on in spite of the cancelling,
        everything stays for the next process.

        Raises:
            RunError: The job did not end well; the rows that it left were yielded before. Or
                another process works on the batch jobs of the run.
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
        for left in unfinished_jobs(self.source.settings, self._stage, job.run_id):
            _log.info("batch job %s was left behind: taking what it gives", left.job_name)
            self._wait(left)
            yield from self._results(left, waiting)
        if not waiting:
            return
        batch_job = new_job(self.source.settings, job.run_id)
        statements = JobStatements(self.source)
        with self._stopped_on_error(batch_job, statements):
            start_job(statements, job, [*waiting.values()], batch_job)
        status = self._wait(batch_job)
        yield from self._results(batch_job, waiting)
        if status != "DONE":
            msg = "a batch job ends as DONE"
            follow = f"see 'lungreg jobs follow {batch_job.job_id}'"
            mend = f"{follow}, then go on with --resume {job.run_id}"
            raise RunError(msg, got=f"{status}, {counted(len(waiting), 'case')} missing", mend=mend)
        if waiting:
            yield [_lost(job, case) for case in waiting.values()]

    def _results(self, job: BatchJob, waiting: dict[str, Case]) -> Iterator[list[CaseResult]]:
        """The rows of a job that has ended; its files are deleted afterwards."""
        output = ReadBack(self._stage, job)
        yield from output.rows(waiting)
        output.delete_files()

    @property
    def _stage(self) -> SnowflakeStage:
        return SnowflakeStage(self.source)

    def _wait(self, job: BatchJob) -> str:
        """The status with which the job ends, any of the final ones."""
        with self._stopped_on_error(job, JobStatements(self.source)):
            while not _is_final(status := self._status(job)):
                time.sleep(self.pause_s)
        return status

    def _status(self, job: BatchJob) -> str:
        from snowflake.ml.jobs.job import MLJob

        try:
            return self.source.attempt(
                lambda session: str(MLJob[Any](job.job_id, session=session).status)
            )
        except StoreUnavailableError as error:
            if not is_missing(error):
                raise
            return _GONE

    @contextmanager
    def _stopped_on_error(self, job: BatchJob, statements: JobStatements) -> Iterator[None]:
        """Cancel the job when the block fails or is interrupted.

        Not where the account does not answer: the job goes on, and its files stay.
        """
        try:
            yield
        except (KeyboardInterrupt, LungregError) as error:
            is_away = isinstance(error, LungregError) and is_lost(error)
            if not is_away and self._is_stopped(job, statements):
                ReadBack(self._stage, job).delete_files()
            else:
                text = "batch job %s is left to itself: --resume %s takes what it gives"
                _log.warning(text, job.job_name, job.run_id)
            raise

    def _is_stopped(self, job: BatchJob, statements: JobStatements) -> bool:
        """Cancel the job and the statements that start it; whether all ended in time."""
        give_up = time.monotonic() + STOP_S
        statements.cancel()
        with suppress(LungregError):
            while time.monotonic() < give_up:
                is_over = statements.have_ended()  # once they have, no job comes any more
                self._cancel(job)
                if _is_final(self._status(job)) and is_over:
                    return True
                time.sleep(min(1.0, self.pause_s))
        return False

    def _cancel(self, job: BatchJob) -> None:
        from snowflake.ml.jobs.job import MLJob

        with suppress(LungregError, RuntimeError):
            self.source.attempt(lambda session: MLJob[Any](job.job_id, session=session).cancel())


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
