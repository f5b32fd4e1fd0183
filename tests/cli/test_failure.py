"""Failures: one line on stderr, and with --json an object on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from lungreg.cli.command import ANONYMOUS, command
from lungreg.cli.console import Console
from lungreg.errors import DataError
from tests.site import run, runner


@command
def failing(console: Console, how: str) -> None:
    """Fail in a way."""
    if how == "data":
        msg = "a scan is whole"
        raise DataError(msg, got=2, mend="copy it", where="case_001")
    if how == "stopped":
        raise KeyboardInterrupt
    if how == "late":
        console.document({"done": True})
    msg = "of case_001"
    raise ValueError(msg)


def failure(*arguments: str) -> dict[str, object]:
    """The only JSON document on stdout."""
    app = typer.Typer()
    app.command()(failing)
    result = runner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 1
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_json_of_a_failure_has_the_parts_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code, the line for people and what that is made of; no case where others read it."""
    parts = {"code": "data", "rule": "a scan is whole", "got": "2", "mend": "copy it"}
    assert failure("data") == {
        "error": {
            **parts,
            "message": "case_001: a scan is whole, got 2; copy it",
            "where": "case_001",
        }
    }
    monkeypatch.setenv(ANONYMOUS, "1")
    assert "case_001" not in json.dumps([failure("data"), failure("other")])


def test_json_of_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop and a fault of the program have codes of their own."""
    monkeypatch.delenv(ANONYMOUS, raising=False)
    assert failure("stopped") == {"error": {"code": "stopped", "message": "stopped"}}
    error = failure("other")["error"]
    assert isinstance(error, dict)
    assert error["code"] == "unexpected"
    assert "ValueError: of case_001" in error["message"]


def test_a_failure_after_the_document_adds_none() -> None:
    """Stdout stays one document."""
    assert failure("late") == {"done": True}


def test_a_command_that_is_refused_says_so_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a line for people and an object for programs; the exit code is the same."""
    monkeypatch.chdir(tmp_path)
    Path("lungreg.yaml").write_text("backend: {kind: local, root: ./stage}\n")
    done = run("results", "--run", "infer-none", "--json")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err == f"lungreg: {done.document['error']['message']}\n"
    assert done.document["error"]["code"] == "run"
    assert run("results", "--run", "infer-none").out == ""


def test_wrong_usage_with_json_is_an_object_too() -> None:
    """Exit code 2, as without."""
    done = run("results", "--nope", "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "usage")
    assert "No such option" in done.document["error"]["message"]
    assert "No such option" in done.err
    assert run("results", "--nope").out == ""
