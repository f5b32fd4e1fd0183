"""What doctor finds of an account."""

from __future__ import annotations

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.examiner import SnowflakeExaminer
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.peer import Peer


def states(source: SessionSource) -> dict[str, str]:
    """State by name of the check."""
    return {check.name: check.state for check in SnowflakeExaminer(source).examine()}


def test_an_account_that_was_set_up_is_fine(source: SessionSource) -> None:
    """Session and stages are there: nothing is left to mend."""
    assert states(source) == {"session": "ok", "stages": "ok"}


def test_a_role_of_nobody_that_sees_nothing_fails(source: SessionSource) -> None:
    """Either nothing was set up, or the role is none of a step: both are said."""
    settings = source.settings.model_copy(update={"utils_schema": "A", "results_schema": "B"})
    session, stages = SnowflakeExaminer(SessionSource(settings)).examine()
    assert (session.state, stages.state) == ("ok", "fail")
    assert "sees no stage IMAGES, JOBS, RUNS" in stages.found
    assert stages.mend.startswith("run 'lungreg setup', or take the role of the step")


def test_a_missing_stage_is_named_with_its_mend(source: SessionSource) -> None:
    """Before `lungreg setup` the role of setup sees the names of the stages that it would make."""
    changes = {"run_stage": "NOWHERE", "role": "LUNGREG_SETUP"}
    settings = source.settings.model_copy(update=changes)
    (failed,) = [
        check
        for check in SnowflakeExaminer(SessionSource(settings)).examine()
        if check.state == "fail"
    ]
    assert failed.found == "LUNGREG_SETUP sees no stage NOWHERE"
    assert failed.mend == "run 'lungreg setup'"


def test_a_stage_that_no_job_could_read_fails(source: SessionSource) -> None:
    """What the client encrypts is noise to everyone else; a stage keeps its encryption for good."""
    settings = source.settings.model_copy(update={"run_stage": "PLAIN"})
    source.run(f"CREATE STAGE {settings.database}.{settings.results_schema}.PLAIN")
    (failed,) = [
        check
        for check in SnowflakeExaminer(SessionSource(settings)).examine()
        if check.state == "fail"
    ]
    assert failed.found == "not encrypted on the server's side: PLAIN"


def test_no_session_is_one_failure(peer: Peer) -> None:
    """Where nobody can log in, that is said once and nothing else is asked."""
    settings = SnowflakeBackend(kind="snowflake", connection="nobody")
    (failed,) = SnowflakeExaminer(SessionSource(settings)).examine()
    assert (failed.name, failed.state) == ("session", "fail")
    assert failed.mend.startswith("add it to that file")
    assert failed.mend not in failed.found
