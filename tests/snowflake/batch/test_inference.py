"""Batch inference through the real client."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from lungreg.backends.local import open_local
from lungreg.config import LocalBackend
from lungreg.errors import ConfigError, RunError, StoreUnavailableError
from lungreg.stores import Backend
from lungreg.workflows.inference import infer
from tests.snowflake.batch.cohort import CASES, run, run_config
from tests.snowflake.peer import Peer
from tests.snowflake.peer.batch import BatchService
from tests.snowflake.peer.dialect import IS_FILES


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

    monkeypatch.setattr("lungreg.backends.snowflake.batch.inference.time.sleep", stop)
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
