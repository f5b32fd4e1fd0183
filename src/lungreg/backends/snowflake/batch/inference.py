"""Batch inference by Snowflake: a job over cases, and what comes back of it."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from lungreg.backends.snowflake.batch.attempts import Attempt, left_behind, new_attempt
from lungreg.backends.snowflake.batch.rows import BatchOutput, read_output
from lungreg.backends.snowflake.batch.start import start_job
from lungreg.backends.snowflake.faults import is_lost, is_missing
from lungreg.backends.snowflake.session import SessionSource
from lungreg.backends.snowflake.stage import SnowflakeStage
from lungreg.errors import LungregError, RunError, StoreUnavailableError

if TYPE_CHECKING:
    from lungreg.one_case import RegistrationJob
    from lungreg.records import Case, CaseResult

_log = logging.getLogger(__name__)
_ROWS_AT_ONCE = 4
"""Read back at once: each holds the images of a case."""
_WRITERS = 8
"""Files that are written to the stage at once."""
_GONE = "DELETED"
"""Snowflake's status of a job that is no longer there, or never was."""


@dataclass(frozen=True)
class BatchInference:
    """Batch jobs of one configuration."""

    source: SessionSource
    pause_s: float = 10.0
    """Between two looks at a running job."""

    def run(self, job: RegistrationJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
        """Register cases in one job; their files are on the stage before their rows are given.

        What an earlier process of the run left behind is waited for and taken first. A case that
        cannot be registered, or that the job lost, gives a failed result. A job that is stopped is
        cancelled, and what was made for it removed; where the account is away, or its rows cannot
        be kept, all stays for the next process.

        Raises:
            RunError: The job did not end well; the rows that it left were given before.
            StoreUnavailableError: The account does not answer, or forbids it.
        """
        waiting = {case.case_id: case for case in cases}
        for left in left_behind(self.source.settings, self._stage, job.run_id):
            _log.info("batch job %s was left behind: taking what it gives", left.job_name)
            self._wait(left)
            yield from self._taken(job, waiting, left)
        if not waiting:
            return
        attempt = new_attempt(self.source.settings, job.run_id)
        with self._minded(attempt):
            start_job(self.source, job, [*waiting.values()], attempt)
        status = self._wait(attempt)
        yield from self._taken(job, waiting, attempt)
        if status != "DONE":
            msg = "a batch job ends as DONE"
            mend = (
                f"see 'lungreg jobs follow {attempt.job_id}', then go on with --resume {job.run_id}"
            )
            raise RunError(msg, got=f"{status}, {len(waiting)} cases are missing", mend=mend)
        if waiting:
            yield [_lost(job, case) for case in waiting.values()]

    @property
    def _stage(self) -> SnowflakeStage:
        return SnowflakeStage(self.source)

    def _wait(self, attempt: Attempt) -> str:
        """The status with which the job ends, any of the final ones."""
        from snowflake.ml.jobs.job import TERMINAL_JOB_STATUSES

        with self._minded(attempt):
            while (status := self._status(attempt)) not in TERMINAL_JOB_STATUSES:
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
    def _minded(self, attempt: Attempt) -> Iterator[None]:
        """Whatever stops the block stops the job; unless the account is away and cannot be told."""
        try:
            yield
        except (KeyboardInterrupt, LungregError) as error:
            if isinstance(error, LungregError) and is_lost(error):
                text = "batch job %s is left to itself: --resume %s takes what it gives"
                _log.warning(text, attempt.job_name, attempt.run_id)
            else:
                self._cancel(attempt)
                self._tidy(attempt)
            raise

    def _cancel(self, attempt: Attempt) -> None:
        """Stop the job, if there is one: nobody would take what it gives."""
        from snowflake.ml.jobs.job import MLJob

        with suppress(LungregError, RuntimeError):
            self.source.attempt(
                lambda session: MLJob[Any](attempt.job_id, session=session).cancel()
            )

    def _taken(
        self, job: RegistrationJob, waiting: dict[str, Case], attempt: Attempt
    ) -> Iterator[list[CaseResult]]:
        """The rows of a job that has ended; their cases wait no longer, and nothing stays of it."""
        for outputs in self._outputs(attempt):
            known = [out for out in outputs if waiting.pop(out.result.case_id, None) is not None]
            self._write_files(job, known)
            yield [output.result for output in known]
        self._tidy(attempt)

    def _outputs(self, attempt: Attempt) -> Iterator[list[BatchOutput]]:
        """The rows in the Parquet files of one job, a few at once."""
        listed = self._stage.list(attempt.output)
        for name in [info.name for info in listed if info.name.endswith(".parquet")]:
            with tempfile.TemporaryDirectory() as private:
                local = Path(private) / "rows.parquet"
                self._stage.download(name, local)
                with pq.ParquetFile(local) as file:
                    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                        yield [read_output(row) for row in batch.to_pylist()]

    def _write_files(self, job: RegistrationJob, outputs: Sequence[BatchOutput]) -> None:
        from lungreg.outputs import case_folder

        files = {
            f"{case_folder(job.run_id, output.result.case_id)}/{name}": data
            for output in outputs
            for name, data in output.files.items()
        }
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(self._stage.write, files.keys(), files.values()))

    def _tidy(self, attempt: Attempt) -> None:
        """Remove what the job was given and what it left: the rows hold case ids and images."""
        try:
            for info in self._stage.list(attempt.folder):
                self._stage.delete(info.name)
            self._stage.delete(attempt.mark)
        except LungregError as error:
            _log.warning("files of batch job %s stay behind: %s", attempt.token, error.anonymous)


def _lost(job: RegistrationJob, case: Case) -> CaseResult:
    from lungreg.one_case import failed_result

    return failed_result(
        job,
        case,
        code="batch_lost",
        message="the batch job gave no row for the case",
        attempt=1,
        worker="",
        started_at=datetime.now(UTC),
    )
