"""Starting a batch job: `ModelVersion.run_batch` with the specs of snowflake-ml-python 2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lungreg.backends.snowflake.batch.batch_job import BatchJob
from lungreg.backends.snowflake.batch.input import as_table, input_rows
from lungreg.backends.snowflake.batch.statements import JobStatements
from lungreg.backends.snowflake.connection.faults import client_refusals
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.models import SnowflakeModelRegistry
from lungreg.backends.snowflake.models.rows import INPUT_FILES, NO_FILE, settings_text
from lungreg.config import SnowflakeBackend
from lungreg.errors import ForbiddenError
from lungreg.records import Case, RegistrationJob

if TYPE_CHECKING:
    from snowflake.ml.model import ModelVersion as SnowflakeVersion
    from snowflake.snowpark import DataFrame, Session


_GRANTED = (
    "run-batch takes, beside its role, what the first lines of 'lungreg setup' leave to an "
    "administrator; 'lungreg submit infer' needs none of it"
)


def start_job(
    statements: JobStatements, job: RegistrationJob, cases: Sequence[Case], batch_job: BatchJob
) -> None:
    """Start a batch job over cases; harmless to do twice, since it has its name already.

    Args:
        statements: Remembers the statement, by which the job can be cancelled before it is there.
        job: What to do with each case.
        cases: What to register.
        batch_job: The names of the job and its files.

    Raises:
        RunError: Snowflake's client refuses it.
        StoreUnavailableError: The account does not answer, or forbids it.
    """
    source = statements.source
    stage = SnowflakeStage(source)
    stage.write(batch_job.no_file, NO_FILE)
    rows = input_rows(stage, cases, batch_job.no_file)
    specs = batch_specs(source.settings, job, stage.uri(batch_job.folder))

    def start(session: Session) -> None:
        version = SnowflakeModelRegistry(source).snowflake_version(session, job.stored_model)
        name = f"{batch_job.job_id}_INPUT"
        with as_table(session, name, rows) as table, statements.recorded(session):
            _start(version, table, batch_job.job_id, specs)

    try:
        source.attempt(start)
    except ForbiddenError as error:
        error.mend = "; ".join(part for part in (error.mend, _GRANTED) if part)
        raise


def _start(
    version: SnowflakeVersion, table: DataFrame, name: str, specs: Mapping[str, Any]
) -> None:
    """Start a job, unless an earlier attempt has started it already."""
    with client_refusals("Snowflake's client takes the batch job"):
        try:
            version.run_batch(table, job_name=name, **specs)
        except (ValueError, RuntimeError):
            raise
        except Exception as error:
            if not _says_job_exists(error, name):
                raise


def _says_job_exists(error: Exception, name: str) -> bool:
    """Whether the job is there already, and is not somebody else's object of this name.

    "Object 'X' already exists." means an earlier attempt; with "..., but current role has no
    privileges on it" Snowflake refuses.
    """
    text, own = " ".join(str(error).split()), re.escape(name.rpartition(".")[2])
    return re.search(rf"{own}\W+already exists?\b(?!, but)", text, re.IGNORECASE) is not None


def batch_specs(settings: SnowflakeBackend, job: RegistrationJob, output: str) -> dict[str, Any]:
    """The keyword arguments of `run_batch`, beside the job's name."""
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
            params={"settings": settings_text(job, gpus=wanted.gpus)},
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
