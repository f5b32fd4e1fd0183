"""What batch jobs leave, spoiled or under names of the service's own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lungreg.errors import StoreUnavailableError
from lungreg.records import Status
from lungreg.stores import Backend
from lungreg.workflows.infer import infer
from tests.backends.snowflake.batch.cohort import (
    CASES,
    answer_at_once,
    files_of_batches,
    put_one_file,
    put_rows,
    run,
    run_config,
    run_started,
)
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService

Rows = list[dict[str, Any]]


def one_without_result(rows: Rows, target: Path) -> None:
    put_one_file([{**rows[0], "RESULT": None}, *rows[1:]], target)


def one_file_cut_off(rows: Rows, target: Path) -> None:
    put_rows(rows[:1], target / "part-0.parquet")
    whole = (target / "part-0.parquet").read_bytes()
    (target / "part-0.parquet").write_bytes(whole[: len(whole) // 2])
    put_rows(rows[1:], target / "part-1.parquet")


def one_page_damaged(rows: Rows, target: Path) -> None:
    """The footer is whole, the bytes of a column are not."""
    put_rows(rows[1:], target / "part-1.parquet")
    put_rows([{**rows[0], "IMAGE": bytes(range(256)) * 64}], target / "part-0.parquet")
    data = bytearray((target / "part-0.parquet").read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    (target / "part-0.parquet").write_bytes(data)


def one_file_of_another_model(rows: Rows, target: Path) -> None:
    put_rows(rows[1:], target / "part-1.parquet")
    pq.write_table(pa.table({"CASE_ID": [CASES[0]]}), target / "part-0.parquet")


def under_own_names(rows: Rows, target: Path) -> None:
    names = ("part=1/x.parquet", "part=2/x.parquet", "data_(1) +[^a]'s.parquet")
    for name, row in zip(names, rows, strict=True):
        put_rows([row], target / name)
    (target / "_SUCCESS (1)").write_bytes(b"")


@pytest.mark.parametrize("put", [one_without_result, one_file_cut_off, one_page_damaged])
def test_what_is_spoiled_stops_nothing_else(
    service: BatchService,
    account: Backend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    put: Any,
) -> None:
    """A spoiled row or file is a case lost, named nowhere; the others are taken, nothing stays."""
    answer_at_once(service, monkeypatch, put=put)
    with caplog.at_level(logging.WARNING):
        done = run(account, "run-batch")
    assert sorted(row.case_id for row in done.results) == sorted(CASES)
    assert sorted(row.error_code or "" for row in done.results) == ["", "", "batch_lost"]
    assert "passed over" in caplog.text
    assert not [case for case in CASES if case in caplog.text]
    assert files_of_batches(account) == []


def test_spoiled_rows_of_a_job_left_behind_go_into_a_new_one(
    service: BatchService, account: Backend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are tried again at once, since the run goes on anyway."""
    answer_at_once(service, monkeypatch, put=one_without_result)
    peer.mischief.deny(r"^\s*MERGE")
    with pytest.raises(StoreUnavailableError):
        run(account, "run-batch")
    peer.forget_faults()
    answer_at_once(service, monkeypatch)
    done = infer(run_config("run-batch"), resume=run_started(account), backend=account)
    assert {row.status for row in done.results} == {Status.SUCCESS}
    assert len(service.jobs) == 2
    assert files_of_batches(account) == []


def test_names_that_the_service_chooses_are_read_and_removed(
    service: BatchService, account: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever signs are in them."""
    answer_at_once(service, monkeypatch, put=under_own_names)
    done = run(account, "run-batch")
    assert [row.case_id for row in done.results] == sorted(CASES)
    for row in done.results:
        image = f"runs/{done.run_id}/cases/{row.case_id}/registered_img.nii.gz"
        assert account.stage.read(image) == row.case_id.encode()
    assert files_of_batches(account) == []
