"""Batch inference by Snowflake: `ModelVersion.run_batch` over cases, and what comes back."""

from __future__ import annotations

import logging
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from lungreg.backends.snowflake.batch_input import as_table, input_rows
from lungreg.backends.snowflake.batch_rows import (
    INPUT_FILES,
    NO_FILE,
    BatchOutput,
    read_output,
    settings_text,
)
from lungreg.backends.snowflake.models import SnowflakeModelRegistry
from lungreg.backends.snowflake.session import SessionSource
from lungreg.backends.snowflake.stage import SnowflakeStage
from lungreg.errors import LungregError, RunError

if TYPE_CHECKING:
    from snowflake.ml.model import ModelVersion as SnowflakeVersion
    from snowflake.snowpark import DataFrame, Session

    from lungreg.config import SnowflakeBackend
    from lungreg.one_case import RegistrationJob
    from lungreg.records import Case, CaseResult

_log = logging.getLogger(__name__)
_ROWS_AT_ONCE = 4
"""Read back at once: each holds the images of a case."""


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One batch job and the folders that it uses, of which nothing stays."""

    token: str
    run_id: str

    @property
    def folder(self) -> str:
        """Of this job alone: the service refuses one that holds anything, or empties it."""
        return f"runs/{self.run_id}/batch/{self.token}"

    @property
    def no_file(self) -> str:
        """Stands for the files that a case lacks."""
        return f"runs/{self.run_id}/batch/no-file-{self.token}"


@dataclass(frozen=True)
class BatchInference:
    """Batch jobs of one configuration."""

    source: SessionSource
    pause_s: float = 10.0
    """Between two looks at a running job."""

    def run(self, job: RegistrationJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
        """Register cases in one job; their files are on the stage before their rows are given.

        A case that cannot be registered, or that the job lost, gives a failed result. Whatever
        becomes of the job, its own files are removed, and an interrupted one is cancelled.

        Raises:
            RunError: The job did not end well; the rows that it left were given before.
            StoreUnavailableError: The account does not answer, or forbids it.
        """
        if not cases:
            return
        stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
        attempt = _Attempt(token=stamp, run_id=job.run_id)
        try:
            job_id = self._submit(job, cases, attempt)
            status = self._wait(job_id)
            yield from self._collect(job, cases, attempt, job_id, status)
        finally:
            self._tidy(attempt)

    def _submit(self, job: RegistrationJob, cases: Sequence[Case], attempt: _Attempt) -> str:
        """Start the job; harmless to do twice, since it has its name from here."""
        settings = self.source.settings
        stage = SnowflakeStage(self.source)
        if any(getattr(case, name) is None for case in cases for name in INPUT_FILES):
            stage.write(attempt.no_file, NO_FILE)
        rows = input_rows(stage, cases, attempt.no_file)
        schema = f"{settings.database}.{settings.utils_schema}"
        name = f"{schema}.LUNGREG_BATCH_{attempt.token}".upper()

        def start(session: Session) -> str:
            version = SnowflakeModelRegistry(self.source).snowflake_version(session, job.card)
            specs = _specs(settings, job, stage.uri(attempt.folder))
            with as_table(session, f"{name}_INPUT", rows) as table:
                return _started(version, table, name, specs)

        return self.source.attempt(start)

    def _wait(self, job_id: str) -> str:
        """The status with which the job ends, any of the final ones.

        A job that is no longer waited for is cancelled: nobody would take what it leaves.
        """
        from snowflake.ml.jobs.job import TERMINAL_JOB_STATUSES, MLJob

        try:
            while True:
                status = self.source.attempt(
                    lambda session: str(MLJob[Any](job_id, session=session).status)
                )
                if status in TERMINAL_JOB_STATUSES:
                    return status
                time.sleep(self.pause_s)
        except (KeyboardInterrupt, LungregError):
            with suppress(LungregError):
                self.source.attempt(lambda session: MLJob[Any](job_id, session=session).cancel())
            raise

    def _collect(
        self,
        job: RegistrationJob,
        cases: Sequence[Case],
        attempt: _Attempt,
        job_id: str,
        status: str,
    ) -> Iterator[list[CaseResult]]:
        waiting = {case.case_id: case for case in cases}
        folder = f"{attempt.folder}/{_unqualified(job_id)}"
        for outputs in self._outputs(folder):
            known = [out for out in outputs if waiting.pop(out.result.case_id, None) is not None]
            for output in known:
                self._write_files(job, output)
            yield [output.result for output in known]
        if status != "DONE":
            msg = "a batch job ends as DONE"
            mend = f"see 'lungreg jobs follow {job_id}', then go on with --resume {job.run_id}"
            raise RunError(msg, got=f"{status}, {len(waiting)} cases are missing", mend=mend)
        if waiting:
            yield [_lost(job, case) for case in waiting.values()]

    def _outputs(self, folder: str) -> Iterator[list[BatchOutput]]:
        """The rows in the Parquet files of one job, a few at once."""
        stage = SnowflakeStage(self.source)
        files = [info.name for info in stage.list(folder) if info.name.endswith(".parquet")]
        for name in files:
            with tempfile.TemporaryDirectory() as private:
                local = Path(private) / "rows.parquet"
                stage.download(name, local)
                with pq.ParquetFile(local) as file:
                    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                        yield [read_output(row) for row in batch.to_pylist()]

    def _write_files(self, job: RegistrationJob, output: BatchOutput) -> None:
        from lungreg.outputs import case_folder

        stage, folder = SnowflakeStage(self.source), case_folder(job.run_id, output.result.case_id)
        for name, data in output.files.items():
            stage.write(f"{folder}/{name}", data)

    def _tidy(self, attempt: _Attempt) -> None:
        """Remove what the job was given and what it left: the rows hold case ids and images."""
        stage = SnowflakeStage(self.source)
        try:
            for info in stage.list(attempt.folder):
                stage.delete(info.name)
            stage.delete(attempt.no_file)
        except LungregError as error:
            _log.warning("files of batch job %s stay behind: %s", attempt.token, error.anonymous)


def _started(
    version: SnowflakeVersion, table: DataFrame, name: str, specs: Mapping[str, Any]
) -> str:
    """Start a job, unless an earlier try of it had come through; its id."""
    try:
        return str(version.run_batch(table, job_name=name, **specs).id)
    except (ValueError, RuntimeError) as error:  # the client's own refusals
        msg = "Snowflake's client takes the batch job"
        raise RunError(msg, got=type(error).__name__, where=str(error)) from error
    except Exception as error:
        if "already exist" not in str(error):
            raise
        return name


def _specs(settings: SnowflakeBackend, job: RegistrationJob, output: str) -> dict[str, Any]:
    """What `run_batch` takes beside the rows."""
    from snowflake.ml.model.batch_inference import (
        FileEncoding,
        ImageBuildSpec,
        InferenceSpec,
        InputFormat,
        InputSpec,
        OutputSpec,
        ResourcesSpec,
    )

    wanted = settings.batch
    opened = {
        "input_format": InputFormat.FULL_STAGE_PATH,
        "convert_to": FileEncoding.RAW_BYTES,
    }
    return {
        "compute_pool": settings.compute_pool.name,
        "function_name": "predict",
        "replicas": wanted.replicas or settings.compute_pool.max_nodes,
        "input_spec": InputSpec(
            params={"settings": settings_text(job)},
            column_handling=dict.fromkeys(INPUT_FILES.values(), opened),
        ),
        "output_spec": OutputSpec(stage_location=f"{output}/"),
        "resources_spec": ResourcesSpec(
            cpu_requests=wanted.cpus,
            memory_requests=wanted.memory,
            gpu_requests=str(wanted.gpus) if wanted.gpus else None,
        ),
        "inference_spec": InferenceSpec(
            num_workers=wanted.workers, max_batch_rows=wanted.rows_at_once
        ),
        "image_build_spec": ImageBuildSpec(image_repo=wanted.image_repository),
    }


def _unqualified(job_id: str) -> str:
    return job_id.rsplit(".", 1)[-1].strip('"')


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
