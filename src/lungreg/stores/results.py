"""The ResultTable protocol: one row per run and case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lungreg.records import CaseResult

if TYPE_CHECKING:
    import pyarrow as pa

COMPACT_EVERY = 1000
"""Rows that a step writes between two compactions: listing 100,000 small files takes minutes."""


@runtime_checkable
class ResultTable(Protocol):
    """The rows of all runs.

    Contract:
        - `write` takes rows at any time, from any process; of several rows with one run and case
          that of the last attempt counts, of equal attempts the last finished: clocks of two
          machines differ. Writing a row twice changes nothing.
        - `rows` returns one row per case, ordered by case id; [] for an unknown run.
        - `query` runs SQL on a table called `results` with the columns of `RESULT_COLUMNS`, one
          row per run and case, also while a run is writing. SQL that fails raises `StoreError`;
          it can read nothing but this table.
    """

    def write(self, rows: Sequence[CaseResult]) -> None:
        """Add rows."""

    def rows(self, run_id: str) -> list[CaseResult]:
        """The rows of one run."""

    def query(self, sql: str) -> pa.Table:
        """The answer to an SQL query."""

    def compact(self, run_id: str) -> None:
        """Merge the parts of a run in the store, finished or not; its rows stay the same."""


def latest_rows(rows: Iterable[CaseResult]) -> list[CaseResult]:
    """One row per run and case, as the contract says which one counts; by run and case id.

    Args:
        rows: In any order; of equal rows the last one counts.
    """
    in_order = sorted(rows, key=lambda row: (row.attempt, row.finished_at))
    latest = {(row.run_id, row.case_id): row for row in in_order}
    return [latest[key] for key in sorted(latest)]


class Compaction:
    """Merges the parts of a table each time that so many rows have been added."""

    def __init__(self, compact: Callable[[], None], every: int) -> None:
        self._compact, self._every, self._added = compact, every, 0

    def added(self, rows: int) -> None:
        """Count rows that have just been written."""
        self._added += rows
        if self._added >= self._every:
            self._compact()
            self._added = 0
