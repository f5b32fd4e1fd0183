"""What we call of Snowflake's packages, as it was when this was written."""

from __future__ import annotations

import enum
import inspect
from pathlib import Path

from snowflake.ml import jobs
from snowflake.ml.experiment import ExperimentTracking
from snowflake.ml.jobs.job import TERMINAL_JOB_STATUSES, MLJob
from snowflake.ml.model import ModelVersion, batch_inference
from snowflake.ml.model.custom_model import ModelContext
from snowflake.ml.model.model_signature import DataType, FeatureSpec, ModelSignature
from snowflake.ml.registry import Registry
from snowflake.snowpark import DataFrame, FileOperation, Session

SNAPSHOT = Path(__file__).with_name("api.txt")
CALLED = {
    "Registry": Registry.__init__,
    "Registry.log_model": Registry.log_model,
    "Registry.get_model": Registry.get_model,
    "ModelVersion.run_batch": ModelVersion.run_batch,
    "ModelVersion.export": ModelVersion.export,
    "jobs.submit_directory": jobs.submit_directory,
    "jobs.MLJobDefinition.register": jobs.MLJobDefinition.register,
    "jobs.MLJobDefinition.to_sql": jobs.MLJobDefinition.to_sql,
    "jobs.get_job": jobs.get_job,
    "jobs.list_jobs": jobs.list_jobs,
    "MLJob": MLJob.__init__,
    "MLJob.get_logs": MLJob.get_logs,
    "MLJob.cancel": MLJob.cancel,
    "Session.sql": Session.sql,
    "FileOperation.put_stream": FileOperation.put_stream,
    "FileOperation.get": FileOperation.get,
    "FileOperation.list": FileOperation.list,
    "FileOperation.remove": FileOperation.remove,
    "DataFrame.to_arrow": DataFrame.to_arrow,
    "DataFrame.collect": DataFrame.collect,
    "ModelContext": ModelContext.__init__,
    "ModelSignature": ModelSignature.__init__,
    "FeatureSpec": FeatureSpec.__init__,
    "ExperimentTracking": ExperimentTracking.__init__,
    "ExperimentTracking.set_experiment": ExperimentTracking.set_experiment,
    "ExperimentTracking.start_run": ExperimentTracking.start_run,
    "ExperimentTracking.log_params": ExperimentTracking.log_params,
    "ExperimentTracking.log_metrics": ExperimentTracking.log_metrics,
    "ExperimentTracking.end_run": ExperimentTracking.end_run,
}
KINDS: tuple[type[enum.Enum], ...] = (
    batch_inference.InputFormat,
    batch_inference.FileEncoding,
    DataType,
)
SPECS = ("InputSpec", "OutputSpec", "ResourcesSpec", "InferenceSpec", "ImageBuildSpec")


def described() -> str:
    """Names, order, kinds and defaults of parameters and fields; no annotations."""
    lines = [f"{name}({parameters(function)})" for name, function in CALLED.items()]
    for name in SPECS:
        fields = getattr(batch_inference, name).model_fields
        lines.append(f"{name}: {', '.join(fields)}")
    for kind in KINDS:
        members = ", ".join(member.name for member in kind)
        lines.append(f"{kind.__name__}: {members}")
    lines.append(f"TERMINAL_JOB_STATUSES: {', '.join(sorted(TERMINAL_JOB_STATUSES))}")
    return "\n".join(lines) + "\n"


def parameters(function: object) -> str:
    """A signature without types."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if not parameter.name.startswith("_")
    ]
    text = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return text.removeprefix("(").removesuffix(")")


def test_the_api_is_as_it_was() -> None:
    """A release that changes what we call fails here, before it fails in an account.

    Read its release notes, adapt the backend, and write the new text into api.txt.
    """
    assert described() == SNAPSHOT.read_text()
