"""Batch inference through the real client, also when its process dies or loses the account."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from lungreg.backends.local.opening import open_local
from lungreg.backends.snowflake.batch.batch_job import new_job, unfinished_jobs
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables.result_sql import result_table
from lungreg.config import LocalBackend, SnowflakeBackend
from lungreg.errors import ConfigError, RunError, StoreUnavailableError
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
    stop_at_sleep,
)
from tests.backends.snowflake.batch.conftest import PAUSE_S
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.dialect import IS_FILES
from tests.site import Site, destroy_started, wait_until


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


def test_batch_jobs_are_of_some_backends_only(tmp_path: Path) -> None:
    """A backend without them says so before anything is asked of it."""
    local = open_local(LocalBackend(root=str(tmp_path), tracking=False))
    with pytest.raises(ConfigError, match="a backend with batch jobs"):
        run(local, "run-batch")
    assert local.stage.list() == []


MERGE = r"^\s*MERGE"


def run_out(peer: Peer) -> None:
    """Let the time go by after which a silent process counts no longer."""
    (lock,) = peer.stages.root.rglob("batch/lock-*")
    os.utime(lock, (0, 0))


@pytest.mark.slow
def test_a_killed_client_leaves_its_job_to_the_next(
    service: BatchService,
    account: Backend,
    settings: SnowflakeBackend,
    peer: Peer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGKILL while a job runs: `--resume` starts no second one, takes its rows, and tidies up."""
    answer_at_once(service, monkeypatch)
    service.statuses = ["RUNNING"] * 1000
    config = run_config("run-batch").model_dump(mode="json", exclude_unset=True)
    config["backend"] = settings.model_dump(mode="json", exclude_unset=True)
    site = Site(tmp_path)
    site.config_file.write_text(yaml.safe_dump(config))
    try:
        process = site.start("infer")
        wait_until(lambda: len(service.statuses) < 1000, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finally:
        destroy_started()
    assert files_of_batches(account)
    service.statuses = ["RUNNING"]
    run_out(peer)
    done = infer(run_config("run-batch"), resume=run_started(account), backend=account)
    assert [(row.case_id, row.status) for row in done.results] == [
        (case, Status.SUCCESS) for case in sorted(CASES)
    ]
    assert len(service.jobs) == 1
    assert service.cancelled == []
    assert files_of_batches(account) == []


def test_a_connection_lost_in_mid_merge(
    service: BatchService,
    account: Backend,
    source: SessionSource,
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rows of a job are there once, each with its files, and nothing of the job stays."""
    answer_at_once(service, monkeypatch)
    peer.mischief.drop(MERGE, after=True)
    done = run(account, "run-batch")
    assert peer.mischief.happened == 1
    (counted,) = source.run(f"SELECT COUNT(*) FROM {result_table(source.settings)}")
    assert (counted[0], len(done.results)) == (3, 3)
    for row in done.results:
        image = f"runs/{done.run_id}/cases/{row.case_id}/registered_img.nii.gz"
        assert account.stage.read(image) == row.case_id.encode()
    assert files_of_batches(account) == []


def test_rows_that_cannot_be_kept_wait_for_the_next_process(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was computed is not thrown away because the table was not to be had."""
    answer_at_once(service, monkeypatch)
    peer.mischief.deny(MERGE)
    with pytest.raises(StoreUnavailableError):
        run(account, "run-batch")
    peer.forget_faults()
    done = infer(run_config("run-batch"), resume=run_started(account), backend=account)
    assert {row.status for row in done.results} == {Status.SUCCESS}
    assert {row.attempt for row in done.results} == {1}
    assert len(service.jobs) == 1
    assert files_of_batches(account) == []


def test_an_account_that_is_away_leaves_the_job_running(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of computing are not cancelled for want of an answer."""
    answer_at_once(service, monkeypatch)
    peer.mischief.drop(r"^DESCRIBE SERVICE", times=1000)
    with pytest.raises(StoreUnavailableError):
        run(account, "run-batch")
    peer.forget_faults()
    assert service.cancelled == []
    done = infer(run_config("run-batch"), resume=run_started(account), backend=account)
    assert {row.status for row in done.results} == {Status.SUCCESS}
    assert len(service.jobs) == 1


def test_a_left_job_that_did_only_a_part(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are taken, the other cases go into a new job."""
    answer_at_once(service, monkeypatch, rows=1)
    service.final = "FAILED"
    peer.mischief.deny(MERGE)
    with pytest.raises(StoreUnavailableError):
        run(account, "run-batch")
    peer.forget_faults()
    answer_at_once(service, monkeypatch)
    service.final = "DONE"
    done = infer(run_config("run-batch"), resume=run_started(account), backend=account)
    assert [row.case_id for row in done.results] == sorted(CASES)
    assert {row.status for row in done.results} == {Status.SUCCESS}
    assert len(service.jobs) == 2
    assert files_of_batches(account) == []


def test_a_job_of_a_living_process_is_left_alone(
    service: BatchService, account: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that resume one run: the second takes nothing and removes nothing."""
    answer_at_once(service, monkeypatch)
    service.statuses = ["RUNNING"] * 1000
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run, account, "run-batch")
        try:
            while not service.jobs:
                time.sleep(0.05)
            with pytest.raises(RunError, match="another one waits"):
                infer(run_config("run-batch"), resume=run_started(account), backend=account)
        finally:
            service.statuses = []
        assert {row.status for row in first.result().results} == {Status.SUCCESS}
    assert (len(service.jobs), service.cancelled) == (1, [])
    assert files_of_batches(account) == []


def test_a_job_that_was_never_started(
    service: BatchService,
    account: Backend,
    settings: SnowflakeBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process killed before the job was started leaves a file, which goes with the next call."""
    answer_at_once(service, monkeypatch)
    first = run(account, "run-batch")
    never_started = new_job(settings, first.run_id)
    account.stage.write(never_started.no_file, b"")
    assert unfinished_jobs(settings, account.stage, first.run_id) == [never_started]
    infer(run_config("run-batch"), resume=first.run_id, backend=account)
    assert len(service.jobs) == 1
    assert files_of_batches(account) == []
