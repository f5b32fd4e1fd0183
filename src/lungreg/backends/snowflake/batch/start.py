"""Starting a batch job: `ModelVersion.run_batch` with the specs of snowflake-ml-python 2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lungreg.backends.snowflake.batch.attempts import Attempt
from lungreg.backends.snowflake.batch.input import as_table, input_rows
from lungreg.backends.snowflake.batch.order import Order
from lungreg.backends.snowflake.connection.faults import client_refusals
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.models import SnowflakeModelRegistry
from lungreg.backends.snowflake.models.rows import INPUT_FILES, NO_FILE, settings_text

if TYPE_CHECKING:
    from snowflake.ml.model import ModelVersion as SnowflakeVersion
    from snowflake.snowpark import DataFrame, Session

    from lungreg.config import SnowflakeBackend
    from lungreg.records import Case, RegistrationJob


def start_job(order: Order, job: RegistrationJob, cases: Sequence[Case], attempt: Attempt) -> None:
    """Start a batch job over cases; harmless to do twice, since it has its name already.

    Args:
        order: What can withdraw the job while it is being made.
        job: What to do with each case.
        cases: What to register.
        attempt: The job's name and places.

    Raises:
        RunError: Snowflake's client refuses it.
        StoreUnavailableError: The account does not answer, or forbids it.
    """
    source = order.source
    stage = SnowflakeStage(source)
    stage.write(attempt.mark, NO_FILE)
    rows = input_rows(stage, cases, attempt.mark)
    specs = _specs(source.settings, job, stage.uri(attempt.folder))

    def start(session: Session) -> None:
        version = SnowflakeModelRegistry(source).snowflake_version(session, job.card)
        with as_table(session, f"{attempt.job_id}_INPUT", rows) as table, order.noted(session):
            _start(version, table, attempt.job_id, specs)

    source.attempt(start)


def _start(
    version: SnowflakeVersion, table: DataFrame, name: str, specs: Mapping[str, Any]
) -> None:
    """Start a job, unless an earlier try of it had come through."""
    with client_refusals("Snowflake's client takes the batch job"):
        try:
            version.run_batch(table, job_name=name, **specs)
        except (ValueError, RuntimeError):
            raise
        except Exception as error:
            if not _tells_of_job(error, name):
                raise


def _tells_of_job(error: Exception, name: str) -> bool:
    """Whether the job is there already; not that somebody else's object has its name.

    "Object 'X' already exists." is an earlier try; with "..., but current role has no privileges
    on it" Snowflake refuses.
    """
    text, own = " ".join(str(error).split()), re.escape(name.rpartition(".")[2])
    return re.search(rf"{own}\W+already exists?\b(?!, but)", text, re.IGNORECASE) is not None


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
