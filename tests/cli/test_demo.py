"""lungreg demo: what it says at its end."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from lungreg.records import CaseResult, Verdict
from tests.docs.blocks import parse
from tests.site import run


def done(*results: CaseResult) -> SimpleNamespace:
    """What the demo returns, of these results."""
    return SimpleNamespace(
        config_file=Path("my demo/demo.yaml"),
        report_file=Path("my demo/report.html"),
        seconds=1.0,
        test_results=[],
        trained=SimpleNamespace(run_id="train-1"),
        inferred=SimpleNamespace(run_id="infer-1", failed=[], results=list(results)),
    )


def test_the_end_says_how_to_register_again_with_the_model_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The small network is not what pairs are registered by elsewhere; both commands run."""
    monkeypatch.setattr("lungreg.workflows.demo.demo", lambda *_, **__: done())
    lines = dict(line.split(": ", 1) for line in run("demo").out.splitlines() if ": " in line)
    again = shlex.split(lines["registered again"])
    assert again == ["lungreg", "infer", "-c", "my demo/demo.yaml"]
    without = shlex.split(lines["without the model, which is more exact"])
    assert without == [*again, "--set", "infer.model=null"]
    assert parse(without[1:]) == "infer"


def test_quiet_tells_doubtful_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, as `infer` does; nothing where all pass."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        CaseResult(run_id="infer-1", case_id="a", verdict=verdict, started_at=now, finished_at=now)
        for verdict in (Verdict.PASS, Verdict.WARN)
    ]
    monkeypatch.setattr("lungreg.workflows.demo.demo", lambda *_, **__: done(*rows))
    said = run("demo", "-q")
    assert (said.code, said.out) == (0, "")
    assert said.err == "lungreg: run infer-1: 2 cases: 1 pass, 1 warn\n"
    monkeypatch.setattr("lungreg.workflows.demo.demo", lambda *_, **__: done(rows[0]))
    assert run("demo", "-q").err == ""
