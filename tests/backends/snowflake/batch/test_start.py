"""Starting a batch job: its input, its settings, and its name, which starts it once."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from lungreg.backends.snowflake.batch.start import batch_specs
from lungreg.backends.snowflake.models.rows import gpus_of
from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreError, StoreUnavailableError
from lungreg.stores import Backend
from tests.backends.snowflake.batch.cohort import (
    CASES,
    answer_at_once,
    files_of_batches,
    run,
)
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.dialect import IS_FILES
from tests.registration.registering import make_job

UNLOAD = r"^\s*COPY\s+INTO"


def test_a_job_gets_its_cases_and_settings(
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

    monkeypatch.setattr(service, "start_worker", look)
    run_id = run(account, "run-batch").run_id
    (job,) = service.jobs
    assert job["replicas"] == 1
    assert not job["spec"].get("resources")
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
    """A role that may not start jobs gets the reason, and the rows it had unloaded are gone."""
    peer.mischief.deny(r"^\s*EXECUTE INFERENCE")
    with pytest.raises(StoreUnavailableError, match="lets this user and role"):
        run(account, "run-batch")
    assert service.jobs == []
    assert files_of_batches(account) == []


def test_a_connection_lost_while_rows_are_unloaded(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are unloaded again in a new session, for one job, which leaves nothing."""
    answer_at_once(service, monkeypatch)
    peer.mischief.drop(UNLOAD, times=3)
    before = len(peer.logins)
    done = run(account, "run-batch")
    assert (peer.mischief.happened, len(peer.logins) > before) == (3, True)
    assert [row.case_id for row in done.results] == sorted(CASES)
    assert len(service.jobs) == 1
    assert files_of_batches(account) == []


def test_gpus_are_asked_for_and_the_model_is_told() -> None:
    """By default one for each replica, so that the model knows that it must see one."""
    specs = batch_specs(SnowflakeBackend(kind="snowflake"), make_job(), "@D.S.RUNS/x")
    assert specs["resources_spec"].gpu_requests == "1"
    assert gpus_of(specs["input_spec"].params["settings"]) == 1
