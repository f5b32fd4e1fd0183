"""The start of a job that checks: a row for each step, whatever becomes of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lungreg.backends.snowflake.jobs import start, start_check
from lungreg.backends.snowflake.jobs.start import Tell
from lungreg.stores.account import CHECK_LINE, Check


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, Check]:
    """The rows that were printed, by name."""
    lines = capsys.readouterr().out.splitlines()
    found = [row for line in lines if (row := Check.from_line(line))]
    return {row.name: row for row in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.json").write_text(json.dumps({"image": "gpu_x86_64:2.6.0-py311"}))
    return tmp_path


def test_what_lungreg_finds_comes_after_the_installation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On every node, and with the exit code of all together."""
    ran: list[list[str]] = []

    def install(_: Path, tell: Tell) -> None:
        for step in start.STEPS:
            tell(step, "fine")

    monkeypatch.setattr(start, "install", install)
    monkeypatch.setattr(start, "install_on_other_nodes", lambda _: None)
    monkeypatch.setattr(start, "run_lungreg", lambda arguments, _: ran.append(arguments) or 0)
    monkeypatch.setenv("SNOWFLAKE_JOBS_COUNT", "2")
    assert start_check.main(folder) == 0
    found = rows(capsys)
    assert [*found] == ["image", *start.STEPS, "other nodes"]
    assert {row.state for row in found.values()} == {"ok"}
    assert found["image"].found == "gpu_x86_64:2.6.0-py311"
    assert ran == [["check"]]
    assert start_check.CHECK_LINE == CHECK_LINE


def test_a_plan_that_fails_is_told_with_its_mend(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The steps after it are skipped, and lungreg is not run."""

    def install(_: Path, tell: Tell) -> None:
        tell("python", "3.11.7")
        tell("packages", "torch==2.8.0")
        start.refuse_changes({"torch": "2.8"}, {"torch": "2.9"})

    monkeypatch.setattr(start, "install", install)
    assert start_check.main(folder) == 1
    found = rows(capsys)
    assert [row.state for row in found.values()] == ["ok", "ok", "ok", "fail", "skipped"]
    assert found["plan"].found == "the runtime's torch stays as it is, got 2.8 -> 2.9"
    assert found["plan"].mend == "take a backend.runtime that has what lungreg needs"


def test_anything_else_is_told_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full, say."""

    def install(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(start, "install", install)
    assert start_check.main(folder) == 1
    assert "No space left" in rows(capsys)["python"].found
