"""lungreg demo: what it says at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.docs.blocks import parse
from tests.site import run


def test_the_end_says_how_to_register_again_with_the_model_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The small network is not what pairs are registered by elsewhere; both commands run."""
    done = SimpleNamespace(
        config_file=Path("my demo/demo.yaml"),
        report_file=Path("my demo/report.html"),
        seconds=1.0,
        test_results=[],
        trained=SimpleNamespace(run_id="train-1"),
        inferred=SimpleNamespace(run_id="infer-1", failed=[]),
    )
    monkeypatch.setattr("lungreg.workflows.demo.demo", lambda *_, **__: done)
    lines = dict(line.split(": ", 1) for line in run("demo").out.splitlines() if ": " in line)
    again = shlex.split(lines["registered again"])
    assert again == ["lungreg", "infer", "-c", "my demo/demo.yaml"]
    without = shlex.split(lines["without the model, which is more exact"])
    assert without == [*again, "--set", "infer.model=null"]
    assert parse(without[1:]) == "infer"
