"""The rows of an evaluation as a table and summed up."""

from __future__ import annotations

import pytest

from lungreg.metrics.evaluation_table import as_row, summarise, tabulate
from lungreg.records import CaseEvaluation, Split, Status

CASES = [
    CaseEvaluation(case_id=f"t{number}", split=Split.TEST, tre_mm=tre, dice_score=dice)
    for number, (tre, dice) in enumerate([(1.0, 0.9), (2.0, 0.8), (6.0, None)])
]
FAILED = CaseEvaluation(case_id="f", split=Split.TEST, status=Status.FAILED, tre_mm=99.0)
TRAINED = CaseEvaluation(case_id="a", split=Split.TRAIN, tre_mm=4.0, reasons=("odd", "small"))


def test_each_split_has_its_means() -> None:
    """Mean, median and tail over the cases that have the measure and were registered."""
    found = summarise([TRAINED, *CASES, FAILED])
    assert set(found) == {"train", "test"}
    assert found["train"]["tre_mm"]["mean"] == 4.0
    assert found["test"]["tre_mm"] == {
        "cases": 3,
        "mean": 3.0,
        "median": 2.0,
        "tail_30": pytest.approx(3.6),
    }
    # Of the Dice the lower values are the worse ones.
    assert found["test"]["dice_score"]["tail_30"] == pytest.approx(0.83)
    assert "dice_segmented" not in found["test"]


def test_a_table_has_a_column_for_each_field() -> None:
    """Case, split and verdict first, with types also where every value is missing."""
    table = tabulate([TRAINED, FAILED])
    assert table.column_names[:5] == ["case_id", "split", "status", "verdict", "evidence"]
    assert table.column("reasons").to_pylist() == ["odd; small", ""]
    assert table.column("tre_mm").to_pylist() == [4.0, 99.0]
    assert str(table.schema.field("dice_score").type) == "double"
    assert str(table.schema.field("landmarks").type) == "int64"
    assert tabulate([]).column_names == table.column_names


def test_a_row_holds_plain_values() -> None:
    """Enumerations as their text, reasons in one."""
    row = as_row(TRAINED)
    assert (row["split"], row["status"], row["reasons"]) == ("train", "success", "odd; small")
