"""The commands that only a backend in an account has: setup, teardown, submit, jobs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from lungreg.config import SnowflakeBackend, load_config
from lungreg.config.section import Section
from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.setup.account import Account
from tests.site import run

EXAMPLE = Path(__file__).parents[3] / "configs" / "snowflake.yaml"
JOB = "LUNGREG.UTILS.LUNGREG_TRAIN_20261122_101500_3FA9C1_8A2B"


@pytest.fixture
def config(settings: SnowflakeBackend, tmp_path: Path) -> str:
    """A configuration file for the peer; jobs install from an index."""
    backend = settings.model_dump(mode="json", exclude_unset=True)
    file = tmp_path / "lungreg.yaml"
    file.write_text(yaml.safe_dump({"backend": {**backend, "integrations": ["PYPI_EAI"]}}))
    return str(file)


@pytest.fixture
def service(peer: Peer, settings: SnowflakeBackend) -> JobService:
    return JobService(peer)


def test_setup_shows_and_runs_nothing_by_itself(config: str, peer: Peer) -> None:
    """Without --execute the account hears nothing; the script begins with what is not ours."""
    parts = ("--schedules", "--governance", "--app")
    for arguments in (("setup",), ("setup", "--print"), ("setup", "--notebooks", *parts)):
        done = run(*arguments, "-c", config)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("-- Before the first time, by an administrator")
        assert "CREATE COMPUTE POOL IF NOT EXISTS LUNGREG_GPU" in done.out
        assert ("CREATE WORKSPACE" in done.out) == ("--notebooks" in arguments)
        for made in ("EXECUTE MANAGED TASK", "CREATE MASKING", "ACCESS_HISTORY", "STREAMLIT IF"):
            assert (made in done.out) == ("--app" in arguments)
    assert not peer.statements


def test_setup_says_what_it_needs() -> None:
    """Who is about to run it learns the role, and that showing asks nobody."""
    text = " ".join(re.sub(r"[^\w.,;:_ -]", " ", run("setup", "--help").out).split())
    assert "LUNGREG_SETUP unless configured otherwise" in text
    assert "connects to nothing" in text


def test_setup_then_teardown(config: str, peer: Peer) -> None:
    """Made, listed, kept when a person says no, kept for a program without --yes, dropped."""
    account = Account(peer)
    done = run("setup", "--execute", "-c", config)
    assert done.code == 0
    assert "objects made; 3 already there and unchanged" in done.out  # the stages
    parts = ("--notebooks", "--schedules", "--governance", "--app")
    again = run("setup", *parts, "--execute", "--json", "-c", config).document
    assert again["notebook_files"] == 10
    assert any("EXECUTE TASK" in sql for sql in again["left"])
    assert any("ACCESS_HISTORY" in note for note in again["notes"])
    assert account.streamlits.viewers
    assert again["found"] >= 12  # the peer does not say so of tables
    assert again["made"] + again["found"] < again["statements"]  # the rest are grants
    assert ("COMPUTE POOL", "LUNGREG_GPU") in account.objects
    listed = run("teardown", "-c", config)  # nobody answers the question
    assert listed.code == 1
    assert "compute pool" in listed.out
    assert run("teardown", "--json", "-c", config).document["dropped"] is False
    assert not peer.said("^DROP")
    assert run("teardown", "--yes", "--json", "-c", config).document["dropped"] is True
    assert account.objects == {}


@pytest.mark.parametrize(
    "arguments", [("setup",), ("teardown", "--yes"), ("submit", "train"), ("jobs", "status", JOB)]
)
def test_a_local_backend_has_neither_account_nor_jobs(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the key to change."""
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.code == 1
    assert "backend.kind: snowflake" in done.err


def test_submit_waits_and_ends_with_the_exit_code_of_the_job(
    config: str, service: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is printed as it comes; 3 means that some cases failed, here as there."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    service.statuses = ["PENDING", "PENDING", "RUNNING", "DONE"]
    service.logs = ["", "infer 1/2  pass\n", "infer 1/2  pass\nlungreg: exit code 3"]
    done = run("submit", "infer", "--compute-pool", "MY_POOL", "--wait", "-c", config)
    assert done.code == 3
    assert [line for line in done.out.splitlines() if not line.startswith("job ")] == [
        *("infer 1/2  pass", "lungreg: exit code 3")
    ]
    assert service.submitted[0]["pool"] == "MY_POOL"


def test_submit_without_waiting_prints_the_job(config: str, service: JobService) -> None:
    """Its id goes on to the other commands."""
    found = run("submit", "train", "--json", "-c", config).document
    assert found == {"job_id": found["job_id"], "status": "pending", "exit_code": None}
    service.statuses = ["RUNNING"]
    assert run("jobs", "status", found["job_id"], "-c", config).out.endswith(": running\n")
    assert run("jobs", "cancel", found["job_id"], "-c", config).out.endswith(": cancelled\n")
    name = found["job_id"].rpartition(".")[2]
    service.history = [(name, "RUNNING", "BIG", datetime(2026, 11, 22, tzinfo=UTC))]
    (listed,) = run("jobs", "list", "--json", "-c", config).document
    assert (listed["job_id"], listed["status"]) == (f"D.UTILS.{name}", "running")
    followed = run("jobs", "follow", found["job_id"], "-c", config)
    assert (followed.code, "exit code 1" in followed.out) == (1, True)


def test_the_example_is_complete() -> None:
    """`configs/snowflake.yaml` is accepted, shows every key of the backend, and its default."""
    shown = load_config(EXAMPLE).backend
    raw = yaml.safe_load(EXAMPLE.read_text())["backend"]
    assert shown == SnowflakeBackend(kind="snowflake")
    assert missing_keys(raw, shown) == []


def missing_keys(raw: dict[str, Any], section: Section, before: str = "") -> list[str]:
    """Keys of a section, and of those inside it, that a mapping does not have."""
    found = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name not in raw:
            found.append(before + name)
        elif isinstance(value, Section):
            found += missing_keys(raw[name], value, f"{before}{name}.")
    return found
