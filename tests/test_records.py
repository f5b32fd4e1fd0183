"""Records: frozen, complete, and readable after a way through JSON."""

from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

import lungreg
from lungreg.errors import ModelError
from lungreg.records import (
    RESEARCH_USE,
    RESULT_COLUMNS,
    Case,
    CaseMetrics,
    CaseResult,
    ModelCard,
    Split,
    Status,
    Verdict,
    counted,
)
from lungreg.records.summary import MOST_ROWS, Summary
from lungreg.workflows.evaluate import EvaluationReport

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CARD = ModelCard(
    name="lungs",
    version="2",
    config={"network": {"mode": "trilinear"}},
    metrics={"tre_mm": 1.5},
    split={"train": ["a"], "val": [], "test": []},
    created_at=NOW.isoformat(),
)


def test_result_columns_are_the_fields_of_a_result() -> None:
    """Every field is a column and every column a field, each once."""
    fields = [field.name for field in dataclasses.fields(CaseResult)]
    assert sorted(RESULT_COLUMNS) == sorted(fields)
    assert RESULT_COLUMNS[:2] == ("run_id", "case_id")


def test_result_is_metrics_and_more() -> None:
    """A result takes all metrics by name, and defaults to an unseen success."""
    metrics = CaseMetrics(dice_score=0.9)
    result = CaseResult(
        **dataclasses.asdict(metrics), run_id="r", case_id="c", started_at=NOW, finished_at=NOW
    )
    assert (result.dice_score, result.tre_mm) == (0.9, None)
    assert (result.split, result.status, result.verdict) == (
        Split.UNSEEN,
        Status.SUCCESS,
        Verdict.PASS,
    )
    assert pickle.loads(pickle.dumps(result)) == result


@pytest.mark.parametrize("record", [Case(case_id="c", fixed="f", moving="m"), CARD])
def test_records_are_frozen(record: object) -> None:
    """What was recorded stays as it was."""
    field = dataclasses.fields(record)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, "other")


def test_words_are_plain_text() -> None:
    """Verdict, status and split go into tables and JSON as their words."""
    assert json.dumps([Verdict.WARN, Status.FAILED, Split.TEST]) == '["warn", "failed", "test"]'


def test_card_survives_json() -> None:
    """A card comes back from its JSON as it was, and says what it is not for."""
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert ModelCard.from_json(CARD.to_json().encode()) == CARD
    assert json.loads(CARD.to_json())["use"] == RESEARCH_USE


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"version": "1"}', '{"name": "x", "y": 1}'])
def test_what_is_no_card_is_refused(text: str) -> None:
    """No JSON, no object, a missing name and an unknown field are refused alike."""
    with pytest.raises(ModelError, match="a model card is a JSON object"):
        ModelCard.from_json(text)


def shown_result(case_id: str) -> CaseResult:
    metrics = {"tre_mm": 1.23456, "fold_pct": 0.0}
    evidence = {"verdict": Verdict.PASS, "evidence": "landmarks"}
    times = {"started_at": NOW, "finished_at": NOW}
    return CaseResult(run_id="r", case_id=case_id, **metrics, **evidence, **times)  # type: ignore[arg-type]


def test_a_record_shows_its_main_facts_in_a_line() -> None:
    """Not some fifty fields, most of them None."""
    expected = "case_id='a', run_id='r', verdict='pass (landmarks)', tre_mm=1.235, fold_pct=0"
    assert repr(shown_result("a")) == f"CaseResult({expected})"
    assert len(repr(CARD)) < 150


def test_a_notebook_shows_a_small_table() -> None:
    """Names of cases are text in it, whatever they hold."""
    page = ET.fromstring(shown_result('<b>&"a')._repr_html_())
    cells = {row[0].text: row[1].text for row in page.iter("tr")}
    assert cells["case_id"] == '<b>&"a'
    assert cells["verdict"] == "pass (landmarks)"
    assert "dice_score" not in cells


def test_a_table_of_many_parts_is_cut() -> None:
    """And says how many are left."""
    rows = [shown_result(f"case {k}") for k in range(MOST_ROWS + 5)]
    report = EvaluationReport(target="run", cases=rows)  # type: ignore[arg-type]
    page = report._repr_html_()
    assert page.count("case ") == MOST_ROWS
    assert page.endswith("<p>and 5 more</p>")
    assert repr(report) == "EvaluationReport(target='run', cases=25, failed=0)"


def test_every_public_record_shows_itself_shortly() -> None:
    """A new one derives from `Summary` too, with `repr=False`."""
    records = [getattr(lungreg, name) for name in lungreg.__all__]
    results = [
        kind
        for kind in records
        if dataclasses.is_dataclass(kind) and kind.__name__.endswith(("Report", "Result", "Card"))
    ]
    assert lungreg.RegisterReport in results
    assert [kind for kind in results if kind.__repr__ is not Summary.__repr__] == []


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases"), (21, "21 cases")]
)
def test_a_number_agrees_with_its_noun(number: int, words: str) -> None:
    """One is singular, all else plural; irregular ones are given."""
    assert counted(number, "case") == words
    assert counted(2, "entry", "entries") == "2 entries"
