"""Which of several rows of a case counts."""

from __future__ import annotations

import itertools

from lungreg.backends.local.results import ParquetResultTable
from lungreg.stores.memory_stage import MemoryStage
from lungreg.stores.results import latest_rows
from tests.contracts.results import result


def test_the_row_that_counts_is_that_of_the_table() -> None:
    """The last attempt, of equal attempts the last finished, in whatever order they come."""
    rows = [
        result("b", minute=1),
        result("a", minute=180),
        result("a", minute=1, attempt=2),
        result("a", minute=2, attempt=2),
    ]
    for order in itertools.permutations(rows):
        table = ParquetResultTable(MemoryStage())
        table.write(order)
        assert latest_rows(order) == table.rows("run") == [rows[3], rows[0]]
    assert latest_rows([]) == []


def test_cases_of_two_runs_are_two() -> None:
    """By run, then by case."""
    rows = [result("a", run_id="second"), result("b", run_id="first"), result("a", run_id="first")]
    assert latest_rows(rows) == [rows[2], rows[1], rows[0]]
