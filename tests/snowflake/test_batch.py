"""Batch inference through the real client."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from lungreg.backends.local import open_local
from lungreg.backends.snowflake import open_snowflake
from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.backends.snowflake.session import SessionSource
from lungreg.cases import ManifestFile, ManifestRow, ScanFacts, write_manifest
from lungreg.config import Config, LocalBackend, SnowflakeBackend
from lungreg.errors import ConfigError, RunError, StoreUnavailableError
from lungreg.network import build_network, weights_to_bytes
from lungreg.records import Case, ModelCard, Verdict
from lungreg.stores import Backend, Stage
from lungreg.workflows.inference import InferReport, infer
from tests.small_cases import FIXED_GRID, MOVING_GRID, put_case, small_config
from tests.snowflake.peer import Peer
from tests.snowflake.peer.batch import BatchService
from tests.snowflake.peer.dialect import IS_FILES
from tests.snowflake.peer.models import Models

CASES = ("case_1", "case_10", "MUSTERMANN ERIKA")


@pytest.fixture
def service(peer: Peer, settings: SnowflakeBackend) -> BatchService:
    """The account's batch jobs and models."""
    Models(peer)
    return BatchService(peer)


@pytest.fixture
def account(service: BatchService, settings: SnowflakeBackend) -> Backend:
    """The stores of the account, which look at a job often; cases and a model in them."""
    backend = dataclasses.replace(
        open_snowflake(settings),
        jobs=SnowflakeJobs(SessionSource(settings), pause_s=0.2),
        label=None,
    )
    fill(backend)
    return backend


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


def test_a_job_is_told_what_to_do(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size and settings; a row for each case, whose paths lead to its files.

    Case ids travel in binds, whatever is in them, and nothing of the job stays. What jobs compute
    is compared with a local run in `test_pipeline.py`.
    """
    rows: list[dict[str, Any]] = []

    def look(order: dict[str, Any]) -> SimpleNamespace:
        rows.extend(pq.read_table(order["input"]).to_pylist())
        return SimpleNamespace(poll=lambda: 0, returncode=0)

    monkeypatch.setattr(service, "_started", look)
    run_id = run(account, "run-batch").run_id
    (order,) = service.orders
    assert order["replicas"] == 1
    assert order["spec"]["resources"] == {"gpu_requests": "1"}
    assert order["spec"]["inference"] == {"num_workers": 1, "max_batch_rows": 1}
    assert json.loads(order["params"]["settings"])["run_id"] == run_id
    assert sorted(row["CASE_ID"] for row in rows) == sorted(CASES)
    for row in rows:
        database, schema, path = row["FIXED"].removeprefix("@").split(".", 2)
        file = Path(order["stages"], database, schema, path)
        assert file.read_bytes() == account.stage.read(f"fixed/{row['CASE_ID']}")
    assert account.stage.list(f"runs/{run_id}/batch") == []
    said = [item for item in peer.statements if not IS_FILES.match(item.text)]
    assert not [item for item in said if any(case in item.text + item.tag for case in CASES)]
    assert peer.said(r"INSERT INTO .*_INPUT")[0].binds.count("MUSTERMANN ERIKA") == 1


def test_a_job_that_loses_rows_gives_failed_ones(service: BatchService, account: Backend) -> None:
    """Whatever the job does, every case of the run has its row, and may be tried again."""
    service.works = False
    done = run(account, "run-batch")
    assert [row.case_id for row in done.results] == sorted(CASES)
    assert {row.error_code for row in done.results} == {"batch_lost"}
    again = infer(run_config("run-batch"), resume=done.run_id, backend=account)
    assert {row.attempt for row in again.results} == {2}


def test_every_final_status_ends_the_wait(service: BatchService, account: Backend) -> None:
    """A job that ends otherwise than as DONE is an error that says how to go on."""
    service.works = False
    for service.final in ("FAILED", "INTERNAL_ERROR", "DELETED"):
        with pytest.raises(RunError, match=f"got {service.final}, 3 cases.*--resume infer-"):
            run(account, "run-batch")


def test_a_stopped_run_cancels_its_job(
    service: BatchService, account: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves nothing running that costs, and none of the job's files."""
    service.statuses = ["RUNNING"] * 100

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lungreg.backends.snowflake.batch.time.sleep", stop)
    with pytest.raises(RunError, match="the run was stopped"):
        run(account, "run-batch")
    assert len(service.cancelled) == 1
    assert [info for info in account.stage.list("runs") if "/batch/" in info.name] == []


def test_a_lost_answer_starts_no_second_job(
    service: BatchService, account: Backend, peer: Peer
) -> None:
    """The job has its name from here: one that came about is found again in a new session."""
    service.works, service.loses_answer = False, True
    assert len(run(account, "run-batch").results) == 3
    assert len(peer.said(r"^\s*EXECUTE INFERENCE")) == 2
    assert len(service.orders) == 1


def test_a_missing_privilege_leaves_nothing_behind(
    service: BatchService, account: Backend, peer: Peer
) -> None:
    """A role that may not start jobs is told so, and the rows it had unloaded are gone."""
    peer.mischief.deny(r"^\s*EXECUTE INFERENCE")
    with pytest.raises(StoreUnavailableError, match="lets this user and role"):
        run(account, "run-batch")
    assert service.orders == []
    assert [info for info in account.stage.list("runs") if "/batch/" in info.name] == []


def test_batch_jobs_are_of_some_backends_only(tmp_path: Path) -> None:
    """A backend without them says so before anything is asked of it."""
    local = open_local(LocalBackend(root=str(tmp_path), tracking=False))
    with pytest.raises(ConfigError, match="a backend with batch jobs"):
        run(local, "run-batch")
    assert local.stage.list() == []
