"""The cost of a run: the time of its calls, a dated rate, an estimate."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lungreg.config import Cost, load_config
from lungreg.errors import RunError
from lungreg.records import CaseResult
from lungreg.workflows.cost import cost_lines, estimated_credits, run_cost, run_cost_lines
from lungreg.workflows.infer import infer
from tests.site import CASES, Site

PUBLISHED = Path(__file__).parents[2] / "configs" / "published-demo.yaml"
RATE = "cost={credits_per_node_hour: 2.68, nodes: 2, as_of: 2026-11-22, source: my contract}"


def test_a_run_of_infer_is_estimated(trained: Site) -> None:
    """Wall time, nodes and rate; the figure is called an estimate and the rate's date is shown."""
    done = infer(trained.config())
    found = run_cost(trained.config(RATE), done.run_id)
    assert (found.calls, found.cases) == (1, len(CASES))
    assert found.seconds == pytest.approx(done.seconds, abs=0.5)
    assert found.credits == pytest.approx(found.seconds / 3600 * 2 * 2.68)
    assert found.end - found.begin == timedelta(seconds=found.seconds)
    shown = trained.run("cost", done.run_id, "--set", RATE)
    assert shown.code == 0
    assert "estimate: about" in shown.out
    assert "rate of 2026-11-22, my contract" in shown.out
    assert "this backend sends no bill" in shown.out
    document = trained.run("cost", done.run_id, "--set", RATE, "--json").document
    assert document["credits"] == found.credits
    assert document["estimate"] is True
    assert document["rate"]["as_of"] == "2026-11-22"


def test_without_a_rate_there_is_no_figure(trained: Site) -> None:
    """No rate is assumed; the time is shown all the same."""
    done = infer(trained.config())
    found = run_cost(trained.config(), done.run_id)
    assert found.credits is None
    assert "set cost.credits_per_node_hour" in run_cost_lines(found, None)[1]


def test_calls_of_a_resumed_run_add_up_without_the_pause(trained: Site) -> None:
    """Only the time of the calls counts, not the time from the first start to the last end."""
    done = infer(trained.config())
    first = run_cost(trained.config(), done.run_id)
    infer(trained.config(), resume=done.run_id)
    found = run_cost(trained.config(), done.run_id)
    assert found.calls == 2
    assert first.seconds < found.seconds < (found.end - found.begin).total_seconds()


def test_a_training_run_has_a_cost_too(trained: Site) -> None:
    """It has no rows; its time is kept like any other's."""
    stage = trained.backend().stage
    (run_id,) = {file.name.split("/")[1] for file in stage.list("runs")}
    found = run_cost(trained.config(RATE), run_id)
    assert found.cases == 0
    assert found.credits is not None
    assert "a case" not in "".join(run_cost_lines(found, Cost(credits_per_node_hour=1)))


def test_a_killed_run_is_counted_from_its_rows(trained: Site) -> None:
    """From the first case's beginning to the last one's end."""
    done = infer(trained.config())
    stage = trained.backend().stage
    for file in stage.list(f"runs/{done.run_id}/usage"):
        stage.delete(file.name)
    found = run_cost(trained.config(), done.run_id)
    rows = done.results
    assert found.begin == min(row.started_at for row in rows)
    assert found.end == max(row.finished_at for row in rows)


def test_an_unknown_run_is_refused(ingested: Site) -> None:
    """In words that say which runs have a cost."""
    with pytest.raises(RunError, match="nothing of 'infer-nothing'"):
        run_cost(ingested.config(), "infer-nothing")


def test_records_name_nobody(trained: Site) -> None:
    """Only the time and the compute that was used are recorded."""
    done = infer(trained.config())
    stage = trained.backend().stage
    for file in stage.list(f"runs/{done.run_id}/usage"):
        assert set(json.loads(stage.read(file.name))) == {
            "started_at",
            "seconds",
            "held",
        }


def test_infer_shows_its_own_credits_and_no_others(trained: Site) -> None:
    """At the user's rate; the published demo's figures would say nothing of another run."""
    done = infer(trained.config())
    rate = trained.config(RATE).cost
    *_, line = cost_lines(done, rate)
    assert line == (
        f"about {done.seconds / 3600 * 2 * 2.68:.4f} credits on 2 nodes, "
        "rate of 2026-11-22, my contract"
    )
    assert not [line for line in cost_lines(done, None) if "credits" in line]


def test_the_published_figures() -> None:
    """The demo's 46 s at its own settings are 0.14 credits; on one node, 0.034."""
    rate = load_config(PUBLISHED).cost
    assert rate is not None
    assert f"{estimated_credits(46.0, rate):.2f}" == "0.14"
    assert f"{estimated_credits(46.0, rate, nodes=1):.3f}" == "0.034"
    comment = PUBLISHED.read_text(encoding="utf-8")
    assert all(figure in comment for figure in ("46 s", "0.14 credits", "0.034 credits"))


def test_gpu_seconds_are_those_of_cards_not_of_workers(
    trained: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three workers on each of two cards hold two GPUs for the time of the call, not six."""
    module = importlib.import_module("lungreg.workflows.infer")
    results = module._results

    def on_cards(*asked: Any) -> Iterator[list[CaseResult]]:
        for number, rows in enumerate(results(*asked)):
            name = f"cuda-{number + 1} on {'8a1f0c2e' if number < 3 else '77aa0c2e'}"
            yield [replace(row, worker=name) for row in rows]

    monkeypatch.setattr(module, "_results", on_cards)
    done = infer(trained.config())
    assert len({row.worker for row in done.results}) == 6
    assert done.gpus == 2
    assert done.gpu_seconds_per_case == pytest.approx(2 * done.seconds / len(CASES))
    assert f"{done.gpu_seconds_per_case:.2f} GPU-seconds a case" in cost_lines(done, None)
    assert infer(trained.config(), resume=done.run_id).gpus == 0
