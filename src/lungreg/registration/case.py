"""Register one case of a stage: read its files, register, write files and page, return its row."""

from __future__ import annotations

import dataclasses
import posixpath
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch

from lungreg.errors import LungregError
from lungreg.metrics.rule_list import describe_rules
from lungreg.records import Case, CaseResult, RegistrationJob, Remarks, Split, Status, Verdict
from lungreg.registration.correspondences import LandmarkEstimate
from lungreg.registration.images import PairImages
from lungreg.registration.landmark_places import LandmarkPlaces
from lungreg.registration.outputs import remarks_of, result_files, write_outputs
from lungreg.registration.pair import Estimate, read_pair
from lungreg.registration.register import Registered, register_pair
from lungreg.stores import Stage
from lungreg.stores.names import CaseNames, RunNames

OUT_OF_MEMORY = "out_of_memory"
"""Code of a case for which memory did not suffice, of the machine or of its GPU."""


class Render(Protocol):
    """Renders the HTML page of one case."""

    def __call__(
        self,
        result: CaseResult,
        images: PairImages,
        /,
        *,
        provenance: Mapping[str, str],
        remarks: Remarks,
        places: LandmarkEstimate | None,
        landmarks: LandmarkPlaces | None,
        report: str | None,
        rules: Sequence[str],
    ) -> str:
        """The page of a case.

        Args:
            result: The case's row.
            images: The arrays its pictures are drawn from.
            provenance: What made it.
            remarks: Reasons of the verdict, notes, errors by part of the lungs.
            places: Where the estimated errors come from; None without lungs.
            landmarks: Where the landmarks lie; None without any.
            report: Path from the page to that of its run; None for a case of no run.
            rules: Of the verdict, with their thresholds.
        """


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Attempt:
    """One attempt at a case."""

    number: int = 1
    """From 1 on."""
    worker: str = "main"
    """Name of the worker for the row."""
    turn: AbstractContextManager[Any] = dataclasses.field(default_factory=nullcontext)
    """Held while the case is computed, not while it is read and written: cases that share it are
    computed one at a time, and read and written beside each other."""


def register_case(
    stage: Stage,
    case: Case,
    estimate: Estimate,
    job: RegistrationJob,
    *,
    device: torch.device,
    render: Render | None,
    attempt: Attempt | None = None,
) -> CaseResult:
    """Read a case from the stage, register it, write its files there, and return its row.

    Args:
        stage: Where the case's files are and its results go.
        case: Which case.
        estimate: Finds the transform.
        job: The run's settings.
        device: Where to compute.
        render: Renders qc.html; None writes no page.
        attempt: Who tries it, and which attempt that is; None for the only one.

    Raises:
        LungregError: The case cannot be read, registered or written.
    """
    started, clock, attempt = datetime.now(UTC), _Clock(), attempt or Attempt()
    pair = read_pair(stage, case, max_voxels=job.config.ingest.max_voxels)
    read_s = clock.lap()
    with attempt.turn:
        clock.lap()  # Waiting for the turn is no work.
        registered = register_pair(
            pair,
            estimate,
            hu_window=job.config.preprocessing.hu_window,
            alignment=job.alignment,
            thresholds=job.config.quality,
            device=device,
        )
    registered = dataclasses.replace(registered, notes=(*pair.notes, *registered.notes))
    names = RunNames(job.run_id).case(case.case_id)
    result = CaseResult(
        **dataclasses.asdict(registered.measured.metrics),
        **result_files(names, registered),
        run_id=job.run_id,
        case_id=case.case_id,
        split=job.splits.get(case.fingerprint, Split.UNSEEN),
        verdict=registered.judgement.verdict,
        evidence=registered.judgement.evidence,
        reasons=remarks_of(registered).in_one_line,
        **job.model_columns,
        read_s=read_s,
        compute_s=registered.field_s,
        attempt=attempt.number,
        worker=attempt.worker,
        started_at=started,
        finished_at=datetime.now(UTC),
    )
    full = job.config.infer.full_resolution_field
    write_outputs(stage, names, pair, registered, result, full_resolution=full)
    if render is not None:
        _write_page(stage, names, render, registered, result, job)
    write_s = clock.lap() - registered.field_s
    return dataclasses.replace(result, write_s=write_s, finished_at=datetime.now(UTC))


def describe(error: Exception) -> tuple[str, str]:
    """Code and message of an error for the result table, without case ids or paths.

    An error that is not a `LungregError` is named by its type and the line that raised it.
    """
    if isinstance(error, LungregError):
        return error.code, error.anonymous
    frame = sys.exc_info()[2]
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = (
        ""
        if frame is None
        else f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}"
    )
    memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    code = OUT_OF_MEMORY if memory else "unexpected"
    return code, f"{type(error).__name__}{place}"


def failed_result(
    job: RegistrationJob,
    case: Case,
    *,
    code: str,
    message: str,
    attempt: int,
    worker: str,
    started_at: datetime,
) -> CaseResult:
    """The row of a case that could not be registered."""
    return CaseResult(
        run_id=job.run_id,
        case_id=case.case_id,
        split=job.splits.get(case.fingerprint, Split.UNSEEN),
        status=Status.FAILED,
        verdict=Verdict.FAIL,
        error_code=code,
        error_message=message,
        **job.model_columns,
        attempt=attempt,
        worker=worker,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )


def _write_page(
    stage: Stage,
    names: CaseNames,
    render: Render,
    registered: Registered,
    result: CaseResult,
    job: RegistrationJob,
) -> None:
    page = render(
        result,
        registered.images,
        provenance=job.provenance,
        remarks=remarks_of(registered),
        places=registered.measured.places,
        landmarks=registered.measured.landmarks,
        rules=describe_rules(job.config.quality),
        report=posixpath.relpath(RunNames(job.run_id).report, posixpath.dirname(names.page)),
    )
    stage.write(names.page, page.encode())


class _Clock:
    """Measures seconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return lap
