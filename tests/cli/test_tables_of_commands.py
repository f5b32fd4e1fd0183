"""The tables that commands print: at any width, with all in --wide, without what is empty."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lungreg.backends import open_backend
from lungreg.config import Config, load_config
from lungreg.records import CaseResult, ModelCard, Split, Status, Verdict
from tests.site import run

RUNS = ("infer-20261127-101500-3fa9c1", "infer-20261128-091200-a81c07")
NOW = datetime(2026, 11, 27, 10, 15, tzinfo=UTC)
MODEL = "lung_ct_registration"


def row(run_id: str, number: int, *, model: str | None) -> CaseResult:
    """A case of a run: with masks and landmarks where it has a model; the third has failed."""
    failed = number == 3
    known = {"tre_mm": 1.5 + number, "dice_score": 0.95} if model else {}
    return CaseResult(
        run_id=run_id,
        case_id=f"case_{number:03d}",
        split=Split.TEST,
        status=Status.FAILED if failed else Status.SUCCESS,
        verdict=Verdict.FAIL if failed else Verdict.PASS,
        evidence="landmarks" if model else "estimated",
        error_code="unreadable_file" if failed else None,
        error_message="a scan is whole, got one that ends early; copy it again" if failed else None,
        **({} if failed else {"etre_mm": 1.25, "ncc": 0.9, "fold_pct": 0.0, **known}),
        model_name=MODEL if model else None,
        model_version=model,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=10),
    )


def add_version(config: Config, number: int, *, val: list[str]) -> None:
    """A version that was trained on sixteen cases, and on three in validation."""
    weights = f"{number}".encode()
    card = ModelCard(
        name=MODEL,
        config=config.model_dump(mode="json", include={"loss", "preprocessing", "train"}),
        metrics={"loss": 0.25, "val_loss": 0.125 * number},
        split={"val": val},
        cases={"train": 16, "val": 3, "test": 0},
        epoch=7,
        created_at="2026-11-27T10:15:22+00:00",
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    open_backend(config.backend).models.add(card, weights)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The configuration of a stage with two runs and two versions."""
    path = tmp_path / "lungreg.yaml"
    path.write_text("backend: {kind: local, root: ./stage, tracking: false}\n")
    config = load_config(path)
    results = open_backend(config.backend).results
    for run_id, model in zip(RUNS, (None, "2"), strict=True):
        results.write([row(run_id, number, model=model) for number in (1, 2, 3)])
    for number in (1, 2):
        add_version(config, number, val=["a"])
    return str(path)


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize(
    "command", ["results", f"results --run {RUNS[1]}", "models list", f"report {RUNS[1]}"]
)
def test_tables_fit(file: str, monkeypatch: pytest.MonkeyPatch, command: str, width: int) -> None:
    """Each line is as wide as the terminal at most; the page that is named may be longer."""
    monkeypatch.setenv("COLUMNS", str(width))
    done = run(*command.split(), "-c", file)
    assert (done.code, done.err) == (0, "")
    lines = [line for line in done.out.splitlines() if not line.startswith("open ")]
    assert max(map(len, lines)) <= width
    assert "val_fold_pct" not in done.out


def test_results_name_a_run_once_with_its_model(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table's title; what no case of it has is left out; failures have their reason."""
    monkeypatch.setenv("COLUMNS", "160")
    text = run("results", "-c", file).out
    first, second = text.split(f"Run {RUNS[1]}: 3 cases, {MODEL} version 2\n")
    assert first.startswith(f"Run {RUNS[0]}: 3 cases, no model\n")
    assert [text.count(run_id) for run_id in RUNS] == [1, 1]
    assert ("tre_mm" in first.split(), "tre_mm" in second.split()) == (False, True)
    for part in (first, second):
        assert "case_003  unreadable_file  a scan is whole, got one that ends early" in part


def test_versions_are_compared_without_masks(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By validation loss, number of cases, date, epochs; where that is not fair it is said."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("models", "list", "-c", file).out.splitlines()
    assert lines[0] == f"{MODEL}: 2 versions"
    assert lines[1].split()[:3] == ["version", "aliases", "val_loss"]
    assert lines[3].split() == ["1", "champion", "0.125", "7", "of", "25", "16/3", "2026-11-27"]
    assert "do not compare" not in "".join(lines)
    add_version(load_config(Path(file)), 3, val=["a", "b"])
    assert "do not compare all of these" in run("models", "list", "-c", file).out


def test_wide_and_a_query_show_all(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that do not fit, empty ones too; a query has the columns that it names."""
    monkeypatch.setenv("COLUMNS", "60")
    assert "compute_s" in run("results", "--wide", "-c", file).out
    text = run("results", "--sql", "SELECT case_id, hd95_mm FROM results", "-c", file).out
    assert text.splitlines()[:2] == ["6 rows", "case_id   hd95_mm"]


def test_a_report_sums_up_what_it_says(file: str) -> None:
    """How many cases have which verdict, and the means."""
    lines = run("report", RUNS[1], "-c", file).out.splitlines()
    assert lines[0] == "3 cases: 1 not registered, 2 pass (landmarks)"
    assert lines[1] == "Means by split"
    assert lines[4].split()[:3] == ["test", "2", "3.000"]
