"""The result table as Parquet parts beside each run, queried with DuckDB."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa

from lungreg.errors import StoreError
from lungreg.records import RESULT_COLUMNS, CaseResult, Split, Status, Verdict
from lungreg.stores import Stage
from lungreg.tables import PartTable

_SANDBOX = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET TimeZone = 'UTC'",
    "SET lock_configuration = true",
)
"""SQL from a user reaches the one registered table: no file, no network, no Python variable."""


@dataclass(frozen=True)
class ParquetResultTable:
    """Rows at `runs/RUN/results/`. Implements `lungreg.stores.ResultTable`."""

    stage: Stage

    def write(self, rows: Sequence[CaseResult]) -> None:
        """Add rows, one part per run."""
        for run_id, group in groupby(sorted(rows, key=_run_id), key=_run_id):
            self._table.append([_to_row(result) for result in group], _folder(run_id))

    def rows(self, run_id: str) -> list[CaseResult]:
        """The rows of one run."""
        return [_from_row(row) for row in self._table.read(_folder(run_id)).to_pylist()]

    def query(self, sql: str) -> pa.Table:
        """The answer to an SQL query on `results`; times are in UTC."""
        table = self._table.read()
        with duckdb.connect(":memory:") as connection:
            connection.register("results", table)
            for setting in _SANDBOX:
                connection.execute(setting)
            try:
                answer = connection.sql(sql)
                if answer is not None:
                    return answer.to_arrow_table()
            except duckdb.Error as error:
                msg = "SQL must be a DuckDB query on the table 'results'"
                mend = "'DESCRIBE results' shows its columns"
                raise StoreError(msg, mend=mend, where=error) from error
        msg = "SQL must be a query that returns rows"
        raise StoreError(msg, mend="begin with SELECT")

    def compact(self, run_id: str) -> None:
        """Make one part of a finished run's parts."""
        self._table.compact(_folder(run_id))

    @property
    def _table(self) -> PartTable:
        return PartTable(
            self.stage, "runs", result_schema(), key=("run_id", "case_id"), order="finished_at"
        )


@cache
def result_schema() -> pa.Schema:
    """Columns of the result table, in the order of `RESULT_COLUMNS`."""
    hints = typing.get_type_hints(CaseResult)
    return pa.schema([_field(name, hints[name]) for name in RESULT_COLUMNS])


def _field(name: str, hint: Any) -> pa.Field:
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    (kind,) = (member for member in members if member is not types.NoneType)
    known = {float: pa.float64(), int: pa.int64(), datetime: pa.timestamp("us", "UTC")}
    return pa.field(name, known.get(kind, pa.string()))


def _folder(run_id: str) -> str:
    return f"runs/{run_id}/results"


def _run_id(result: CaseResult) -> str:
    return result.run_id


def _to_row(result: CaseResult) -> dict[str, object]:
    return {name: getattr(result, name) for name in RESULT_COLUMNS}


def _from_row(row: dict[str, Any]) -> CaseResult:
    try:
        return CaseResult(
            **{
                **row,
                "split": Split(row["split"]),
                "status": Status(row["status"]),
                "verdict": Verdict(row["verdict"]),
                "started_at": row["started_at"].astimezone(UTC),
                "finished_at": row["finished_at"].astimezone(UTC),
            }
        )
    except ValueError as error:
        msg = "a row of the result table holds values that this version knows"
        mend = "install the version of lungreg that wrote it, or a later one"
        raise StoreError(msg, got=error, mend=mend) from error
