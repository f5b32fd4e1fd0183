"""A run that is stopped while the statement of its job still runs."""

from __future__ import annotations

import pytest

from lungreg.errors import RunError
from lungreg.records import Status
from lungreg.stores import Backend
from lungreg.workflows.infer import infer
from tests.backends.snowflake.batch.cohort import (
    answer_at_once,
    files_of_batches,
    run,
    run_config,
    run_started,
    stop_at_sleep,
)
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService


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
    monkeypatch.setattr("lungreg.backends.snowflake.batch.inference.STOP_S", 0.5)
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
