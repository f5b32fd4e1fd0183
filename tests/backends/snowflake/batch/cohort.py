"""A small cohort on a stage, a model beside it, and workers that answer without computing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.models.rows import (
    OUTPUT_COLUMNS,
    OUTPUT_FILES,
    BatchOutput,
    output_row,
)
from lungreg.config import Config
from lungreg.learning.network import build_network, weights_to_bytes
from lungreg.records import Case, CaseResult, ModelCard, Verdict
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import ManifestFile, ManifestRow, ScanFacts, write_manifest
from lungreg.workflows.infer import infer
from lungreg.workflows.infer_report import InferReport
from tests.backends.snowflake.peer.batch import BatchService
from tests.small_cases import FIXED_GRID, MOVING_GRID, put_case, small_config

CASES = ("case_1", "case_10", "MUSTERMANN ERIKA")
_TYPES = {str: pa.string(), float: pa.float64(), bytes: pa.binary()}


def fill(backend: Backend) -> None:
    """Three cases, one of them without masks and landmarks, and a model."""
    cases = [
        put_case(backend.stage, CASES[0], seed=1),
        put_case(backend.stage, CASES[1], seed=2, masks=False, points=False, offset=1024.0),
        put_case(backend.stage, CASES[2], seed=3),
    ]
    write_manifest(backend.stage, [manifest_row(backend.stage, case) for case in cases])
    config = run_config("ray")
    card = ModelCard(name="lungs", config=config.model_dump(mode="json"), run_id="train-1")
    backend.models.add(card, weights_to_bytes(build_network(config.network)))


def manifest_row(stage: Stage, case: Case) -> ManifestRow:
    """What ingest would have written of a case."""
    roles = ("fixed", "moving", "fixed_mask", "moving_mask", "landmarks")
    names = {role: name for role in roles if (name := getattr(case, role)) is not None}
    files = [
        ManifestFile(
            role=role,
            name=name,
            size=stage.size(name),
            sha256=hashlib.sha256(name.encode()).hexdigest(),
        )
        for role, name in names.items()
    ]
    return ManifestRow(
        case_id=case.case_id,
        verdict=Verdict.PASS,
        files=tuple(files),
        fixed=facts(FIXED_GRID, 0.0),
        moving=facts(MOVING_GRID, case.moving_hu_offset),
        checked_at=datetime.now(UTC),
    )


def facts(grid: Any, offset: float) -> ScanFacts:
    return ScanFacts(
        shape=grid.shape, spacing_mm=(1.0, 1.0, 1.0), orientation="RAS", hu_offset=offset
    )


def run_config(engine: str) -> Config:
    """A run of all cases with pages, on the processor."""
    return small_config(infer={"engine": engine, "model": "lungs", "threads": 1})


def run(backend: Backend, engine: str) -> InferReport:
    return infer(run_config(engine), backend=backend)


def figures(row: CaseResult) -> dict[str, float]:
    """What was measured, without times."""
    values = dataclasses.asdict(row)
    timed = {"read_s", "compute_s", "write_s"}
    return {k: v for k, v in values.items() if isinstance(v, float) and k not in timed}


def files_of_batches(account: Backend) -> list[str]:
    """Paths of what is left of batch jobs, however they are spelled."""
    assert isinstance(account.stage, SnowflakeStage)
    return [path for path in account.stage.paths("runs") if "/batch/" in path]


def run_started(account: Backend) -> str:
    """The one run on the stage."""
    (run_id,) = {info.name.split("/")[1] for info in account.stage.list("runs")}
    return run_id


def put_rows(answers: list[dict[str, Any]], target: Path) -> None:
    """Write rows as a worker does."""
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in OUTPUT_COLUMNS.items()])
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(answers, schema=schema), target)


def put_one_file(answers: list[dict[str, Any]], target: Path) -> None:
    """All rows in one file."""
    put_rows(answers, target / "part-0.parquet")


def answer_at_once(
    service: BatchService,
    monkeypatch: pytest.MonkeyPatch,
    *,
    rows: int = 3,
    put: Callable[[list[dict[str, Any]], Path], None] = put_one_file,
) -> None:
    """Let workers answer so many rows with successes, which they make up."""

    def started(job: dict[str, Any]) -> SimpleNamespace:
        run_id = json.loads(job["params"]["settings"])["run_id"]
        given = pq.read_table(job["input"]).to_pylist()[:rows]
        answers = [output_row(made_up(run_id, row["CASE_ID"])) for row in given]
        put(answers, Path(job["output"]))
        return SimpleNamespace(poll=lambda: 0, returncode=0)

    monkeypatch.setattr(service, "start_worker", started)


def made_up(run_id: str, case_id: str) -> BatchOutput:
    """What a job might have found of a case."""
    now = datetime.now(UTC)
    result = CaseResult(
        run_id=run_id,
        case_id=case_id,
        dice_score=0.9,
        worker="cpu-batch",
        started_at=now,
        finished_at=now,
    )
    return BatchOutput(result=result, files=dict.fromkeys(OUTPUT_FILES.values(), case_id.encode()))


def stop_at_sleep(monkeypatch: pytest.MonkeyPatch, *pauses: float) -> None:
    """Press Ctrl-C once, in a sleep of so many seconds."""
    waiting, sleep = [True], time.sleep

    def stop(seconds: float) -> None:
        if seconds in pauses and waiting:
            waiting.clear()
            raise KeyboardInterrupt
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", stop)
