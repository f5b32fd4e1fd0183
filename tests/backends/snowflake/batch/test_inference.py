"""Batch inference through the real client."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from lungreg.backends.local import open_local
from lungreg.config import LocalBackend
from lungreg.errors import ConfigError, RunError, StoreError, StoreUnavailableError
from lungreg.records import Status
from lungreg.stores import Backend
from lungreg.workflows.infer import infer
from tests.backends.snowflake.batch.cohort import (
    CASES,
    answer_at_once,
    files_of_batches,
    run,
    run_config,
    run_started,
)
from tests.backends.snowflake.batch.conftest import PAUSE_S
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.dialect import IS_FILES


def test_a_job_is_told_what_to_do(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size and settings; a row for each case, whose paths lead to its files.

    Case ids travel in binds, whatever is in them, and nothing of the job stays. What jobs compute
    is compared with a local run in `test_pipeline.py`.
    """
    rows: list[dict[str, Any]] = []

    def look(job: dict[str, Any]) -> SimpleNamespace:
        rows.extend(pq.read_table(job["input"]).to_pylist())
        return SimpleNamespace(poll=lambda: 0, returncode=0)

    monkeypatch.setattr(service, "_started", look)
    run_id = run(account, "run-batch").run_id
    (job,) = service.jobs
    assert job["replicas"] == 1
    assert job["spec"]["resources"] == {"gpu_requests": "1"}
    assert job["spec"]["inference"] == {"num_workers": 1, "max_batch_rows": 1}
    assert json.loads(job["params"]["settings"])["run_id"] == run_id
    assert sorted(row["CASE_ID"] for row in rows) == sorted(CASES)
    for row in rows:
        database, schema, path = row["FIXED"].removeprefix("@").split(".", 2)
        file = Path(job["stages"], database, schema, path)
        assert file.read_bytes() == account.stage.read(f"fixed/{row['CASE_ID']}")
    assert account.stage.list(f"runs/{run_id}/batch") == []
    names = [*CASES, *(case.replace(" ", "=20") for case in CASES)]
    said = [item for item in peer.statements if not IS_FILES.match(item.text)]
    assert not [item for item in said if any(case in item.text + item.tag for case in names)]
    assert peer.said(r"INSERT INTO .*_INPUT")[0].binds.count("MUSTERMANN ERIKA") == 1


def test_a_run_from_here_names_cases_in_file_statements_alone(account: Backend, peer: Peer) -> None:
    """Ids that nobody has replaced: a patient's name with a blank in it, spelled either way."""
    done = run(account, "ray")
    assert [row.case_id for row in account.results.rows(done.run_id)] == sorted(CASES)
    names = [*CASES, *(case.replace(" ", "=20") for case in CASES)]
    named = [item.text for item in peer.statements if any(one in item.text for one in names)]
    assert any("MUSTERMANN=20ERIKA" in text for text in named)
    assert [text for text in named if not IS_FILES.match(text)] == []
    assert not [item.tag for item in peer.statements if any(one in item.tag for one in names)]


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
    for service.final in ("FAILED", "INTERNAL_ERROR", "DELETED", "CANCELLED"):
        with pytest.raises(RunError, match=f"got {service.final}, 3 cases.*--resume infer-"):
            run(account, "run-batch")


def stop_at_sleep(monkeypatch: pytest.MonkeyPatch, *pauses: float) -> None:
    """Press Ctrl-C once, in a sleep of so many seconds."""
    waiting, sleep = [True], time.sleep

    def stop(seconds: float) -> None:
        if seconds in pauses and waiting:
            waiting.clear()
            raise KeyboardInterrupt
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", stop)


def test_a_stopped_run_cancels_its_job(
    service: BatchService, account: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves nothing running that costs, and none of the job's files."""
    service.statuses = ["RUNNING"] * 100

    stop_at_sleep(monkeypatch, PAUSE_S)
    with pytest.raises(RunError, match="the run was stopped"):
        run(account, "run-batch")
    assert len(service.cancelled) == 1
    assert files_of_batches(account) == []


def test_a_run_stopped_while_the_image_is_built_leaves_no_job_coming(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement goes on in the server without its client: it is cancelled too."""
    service.builds = True
    stop_at_sleep(monkeypatch, 0.5)  # the connector's, between two looks at a statement
    with pytest.raises(RunError, match="the run was stopped"):
        run(account, "run-batch")
    assert len(peer.said(r"SYSTEM\$CANCEL_QUERY")) == 1
    service.end_build()
    assert service.jobs == []
    assert files_of_batches(account) == []


def test_a_job_that_comes_in_spite_of_all_keeps_its_input(
    service: BatchService, account: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the statement cannot be stopped in time, the next process takes what the job gives."""
    answer_at_once(service, monkeypatch)
    monkeypatch.setattr("lungreg.backends.snowflake.batch.inference._STOP_S", 0.5)
    service.builds, service.heeds_cancel = True, False
    stop_at_sleep(monkeypatch, 0.5)
    with pytest.raises(RunError, match="the run was stopped"):
        run(account, "run-batch")
    assert files_of_batches(account)
    service.end_build()
    done = infer(run_config("run-batch"), resume=run_started(account), backend=account)
    assert {row.status for row in done.results} == {Status.SUCCESS}
    assert len(service.jobs) == 1
    assert files_of_batches(account) == []


@pytest.mark.parametrize(
    "refusal",
    [
        "already exists, but current role has no privileges on it. If this is unexpected ...",
        "cannot be made: the schema's STAGE_X already exists.",
    ],
)
def test_a_name_that_is_refused_is_no_started_job(
    service: BatchService, account: Backend, refusal: str
) -> None:
    """Somebody else's object of the name, or another one that is there, is not our job."""
    service.refusal = refusal
    with pytest.raises(StoreError):
        run(account, "run-batch")
    assert files_of_batches(account) == []


def test_a_lost_answer_starts_no_second_job(
    service: BatchService, account: Backend, peer: Peer
) -> None:
    """The job has its name from here: one that came about is found again in a new session."""
    service.works, service.loses_answer = False, True
    assert len(run(account, "run-batch").results) == 3
    assert len(peer.said(r"^\s*EXECUTE INFERENCE")) == 2
    assert len(service.jobs) == 1


def test_a_missing_privilege_leaves_nothing_behind(
    service: BatchService, account: Backend, peer: Peer
) -> None:
    """A role that may not start jobs is told so, and the rows it had unloaded are gone."""
    peer.mischief.deny(r"^\s*EXECUTE INFERENCE")
    with pytest.raises(StoreUnavailableError, match="lets this user and role"):
        run(account, "run-batch")
    assert service.jobs == []
    assert files_of_batches(account) == []


def test_batch_jobs_are_of_some_backends_only(tmp_path: Path) -> None:
    """A backend without them says so before anything is asked of it."""
    local = open_local(LocalBackend(root=str(tmp_path), tracking=False))
    with pytest.raises(ConfigError, match="a backend with batch jobs"):
        run(local, "run-batch")
    assert local.stage.list() == []
