"""Rows of the result table to Arrow and back, and DuckDB queries on them."""

from __future__ import annotations

import types
import typing
from datetime import UTC, datetime
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from lungreg.errors import StoreError
from lungreg.records import RESULT_COLUMNS, CaseResult, Split, Status, Verdict

_SANDBOX = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET TimeZone = 'UTC'",
    "SET lock_configuration = true",
)
"""SQL from a user reaches the one registered table: no file, no network, no Python variable."""


@cache
def result_schema() -> pa.Schema:
    """Columns of the result table, in the order of `RESULT_COLUMNS`."""
    hints = typing.get_type_hints(CaseResult)
    return pa.schema([_field(name, hints[name]) for name in RESULT_COLUMNS])


def to_row(result: CaseResult) -> dict[str, object]:
    """The values of a row by column."""
    return {name: getattr(result, name) for name in RESULT_COLUMNS}


def from_row(row: dict[str, Any]) -> CaseResult:
    """The row that `to_row` gave, times in UTC.

    Raises:
        StoreError: A value that only another version knows.
    """
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


def query_rows(table: pa.Table, sql: str) -> pa.Table:
    """Run an SQL query on the table `results`, the only thing it can read; times are in UTC.

    Raises:
        StoreError: SQL that fails, returns no rows or reaches for anything else.
    """
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


def _field(name: str, hint: Any) -> pa.Field:
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    (kind,) = (member for member in members if member is not types.NoneType)
    known = {float: pa.float64(), int: pa.int64(), datetime: pa.timestamp("us", "UTC")}
    return pa.field(name, known.get(kind, pa.string()))
