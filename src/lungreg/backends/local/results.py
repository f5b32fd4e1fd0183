"""Parquet parts of each run as a `lungreg.stores.ResultTable`, queried with DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from lungreg.records import CaseResult
from lungreg.stores import Stage
from lungreg.stores.names import RUNS, RunNames
from lungreg.stores.part_table import PartTable
from lungreg.stores.result_rows import from_row, query_rows, result_schema, to_row
from lungreg.stores.run_files import runs_on


@dataclass(frozen=True)
class ParquetResultTable:
    """Rows at `runs/RUN/results/`. Implements `lungreg.stores.ResultTable`."""

    stage: Stage

    def write(self, rows: Sequence[CaseResult]) -> None:
        """Add rows, one part per run."""
        for run_id, group in groupby(sorted(rows, key=_run_id), key=_run_id):
            self._table.append([to_row(result) for result in group], RunNames(run_id).results)

    def rows(self, run_id: str) -> list[CaseResult]:
        """The rows of one run."""
        return [from_row(row) for row in self._table.rows(RunNames(run_id).results)]

    def query(self, sql: str) -> pa.Table:
        """The answer to an SQL query on `results`; times are in UTC."""
        folders = (run.results for run in runs_on(self.stage))
        return query_rows(self._table.read(*folders), sql)

    def compact(self, run_id: str) -> None:
        """Merge the parts of a finished run into one."""
        self._table.compact(RunNames(run_id).results)

    @property
    def _table(self) -> PartTable:
        return PartTable(
            self.stage,
            RUNS,
            result_schema(),
            key=("run_id", "case_id"),
            order=("attempt", "finished_at"),
        )


def _run_id(result: CaseResult) -> str:
    return result.run_id
