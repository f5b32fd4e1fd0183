"""Options of a job that the client would ignore."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs.submission import submit_strictly
from lungreg.errors import RunError
from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer


@pytest.mark.parametrize("unknown", ["target_instance", "env_var"])
def test_an_option_that_the_client_does_not_know_is_refused(
    source: SessionSource,
    peer: Peer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unknown: str,
) -> None:
    """The client itself would submit the job without it, and only warn, at any log level."""
    service = JobService(peer)
    (tmp_path / "s.py").write_text("")
    monkeypatch.setattr(logging.getLogger("snowflake"), "level", logging.ERROR)
    with source.use() as session:
        options = {"entrypoint": "s.py", "stage_name": "@S", "session": session, unknown: 2}
        with pytest.raises(RunError, match=f"installed snowflake-ml-python knows.*{unknown}"):
            submit_strictly(tmp_path, "POOL", options)
    assert service.submitted == []
