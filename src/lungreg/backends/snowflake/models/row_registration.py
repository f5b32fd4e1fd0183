"""Register cases whose files come as bytes in rows. Imports nothing of Snowflake."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lungreg.backends.snowflake.models.rows import (
    CASE_ID,
    INPUT_FACTS,
    INPUT_FILES,
    NO_FILE,
    OUTPUT_FILES,
    BatchOutput,
    gpus_of,
    job_of,
)
from lungreg.devices import choose_device, worker_name
from lungreg.errors import MissingFileError, ModelError, ResourceError, UnsafeInputError
from lungreg.learning.stored_model import run_estimate
from lungreg.qc.case_page import render_case
from lungreg.records import Case, ModelCard, RegistrationJob
from lungreg.registration.case import Attempt, describe, failed_result, register_case
from lungreg.registration.pair import Estimate
from lungreg.stores.memory_stage import MemoryStage
from lungreg.stores.names import RunNames

_log = logging.getLogger(__name__)
MAX_FILE_BYTES = 2**31
"""Of one file before it is unpacked; the decoder has a cap for what it unpacks to."""


class RowRegistration:
    """A model that registers rows, on a GPU with CUDA where there is one."""

    def __init__(self, card: ModelCard, weights: bytes) -> None:
        """Take a model's card and its safetensors bytes.

        Raises:
            ModelError: The bytes are not those of the card.
        """
        if hashlib.sha256(weights).hexdigest() != card.weights_sha256:
            msg = "the weights of a model have the SHA-256 on its card"
            raise ModelError(msg, got="other bytes", mend="log the model again")
        self._card = card
        self._weights = weights
        self._device = choose_device("auto")
        # A name of its own for each process, so that they can be counted in the results.
        self._worker = worker_name(self._device, f"batch-{secrets.token_hex(3)}")
        self._prepared: dict[str, tuple[RegistrationJob, Estimate]] = {}

    def register(self, rows: Iterable[Mapping[Any, Any]], settings: str) -> Iterator[BatchOutput]:
        """Register rows one by one.

        Args:
            rows: The columns of `INPUT_FILES` and `INPUT_FACTS`, and the case id.
            settings: Text of `settings_text`.

        Raises:
            ModelError: The weights are not of the network that the card describes.
            ResourceError: GPUs were asked for, and PyTorch sees none.
        """
        if settings not in self._prepared:
            self._refuse_missing_gpu(settings)
            job = job_of(settings, self._card)
            self._prepared = {
                settings: (job, run_estimate(job.config, self._weights, self._device))
            }
        job, estimate = self._prepared[settings]
        for row in rows:
            yield self._register(row, job, estimate)

    def _refuse_missing_gpu(self, settings: str) -> None:
        """Fail the job at once, rather than compute for hours on the CPU at the price of a GPU."""
        if gpus_of(settings) and self._device.type != "cuda":
            msg = "a batch job that asks for GPUs computes on one"
            mend = (
                "see that the model's image has a PyTorch for backend.model_cuda_version and the "
                "pool nodes with GPUs, or set backend.batch.gpus: 0"
            )
            raise ResourceError(msg, got="no CUDA", mend=mend)

    def _register(
        self, row: Mapping[Any, Any], job: RegistrationJob, estimate: Estimate
    ) -> BatchOutput:
        """Register one row; a fault becomes a failed result, without case id or path in it."""
        started, stage = datetime.now(UTC), MemoryStage()
        case = Case(case_id=str(row[CASE_ID]), fixed="", moving="", **_facts(row))
        render = render_case if job.config.infer.qc else None
        try:
            result = register_case(
                stage,
                _put(stage, case, row),
                estimate,
                job,
                device=self._device,
                render=render,
                attempt=Attempt(worker=self._worker),
            )
            return BatchOutput(result=result, files=_written(stage, job.run_id, case.case_id))
        except Exception as error:  # noqa: BLE001  # one row never stops the others
            _log.debug("row failed", exc_info=True)
            code, message = describe(error)
            result = failed_result(
                job,
                case,
                code=code,
                message=message,
                attempt=1,
                worker=self._worker,
                started_at=started,
            )
            return BatchOutput(result=result, files={})


def _facts(row: Mapping[Any, Any]) -> dict[str, Any]:
    found = {name: (row.get(column), kind) for name, (column, kind) in INPUT_FACTS.items()}
    return {name: kind(value) for name, (value, kind) in found.items() if not _is_nothing(value)}


def _put(stage: MemoryStage, case: Case, row: Mapping[Any, Any]) -> Case:
    """The case with its files on a stage.

    Raises:
        MissingFileError: A scan is missing.
        UnsafeInputError: A file is larger than any scan.
    """
    names: dict[str, Any] = {}
    for name, column in INPUT_FILES.items():
        cell = row.get(column)
        data: Any = NO_FILE if _is_nothing(cell) else cell
        if len(data) > MAX_FILE_BYTES:
            msg = f"a file of a case has at most {MAX_FILE_BYTES} bytes"
            raise UnsafeInputError(msg, got=len(data))
        if data not in (b"", NO_FILE):
            names[name] = f"files/{name}"
            stage.write(names[name], data)
    if not {"fixed", "moving"} <= names.keys():
        msg = "a case has a fixed and a moving scan"
        raise MissingFileError(msg, got=f"{len(names)} of its files", mend="ingest it again")
    return dataclasses.replace(case, **names)


def _is_nothing(value: Any) -> bool:
    """Whether a cell has no value: None, or the NaN that pandas makes of it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _written(stage: MemoryStage, run_id: str, case_id: str) -> dict[str, bytes]:
    case = RunNames(run_id).case(case_id)
    names = {name: case.file(name) for name in OUTPUT_FILES.values()}
    return {name: stage.read(path) for name, path in names.items() if stage.exists(path)}
