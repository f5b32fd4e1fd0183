"""A Snowflake table as a `lungreg.stores.ResultTable`, written with MERGE and read as Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from lungreg.backends.snowflake.connection.faults import is_missing, lacks_column
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables.result_sql import (
    add_later_columns,
    create_result_table,
    create_result_view,
    merge_results,
    replace_result_view,
    select_results,
)
from lungreg.errors import ForbiddenError, StoreError
from lungreg.records import CaseResult
from lungreg.stores.result_rows import from_row, query_rows, result_schema, to_row
from lungreg.stores.results import latest_rows

if TYPE_CHECKING:
    from snowflake.snowpark import Session

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class SnowflakeResultTable:
    """Rows of all runs in one table. Implements `lungreg.stores.ResultTable`.

    A person's query runs on this machine, in DuckDB, over the rows of the table: it has the same
    meaning as on files, it reads no other table of the account, and its text, such as a case id,
    stays out of the account's query history.
    """

    source: SessionSource
    rows_per_statement: int = field(default=150, kw_only=True)

    def write(self, rows: Sequence[CaseResult]) -> None:
        """Add rows, or replace those of the same run and case of an earlier attempt."""
        latest = latest_rows(rows)
        for first in range(0, len(latest), self.rows_per_statement):
            self._merge(latest[first : first + self.rows_per_statement])

    def rows(self, run_id: str) -> list[CaseResult]:
        """The rows of one run."""
        found = [from_row(row) for row in self._read(run_id).to_pylist()]
        return sorted(found, key=lambda row: row.case_id)

    def query(self, sql: str) -> pa.Table:
        """The answer to an SQL query on `results`; times are in UTC."""
        return query_rows(self._read(), sql)

    def compact(self, run_id: str) -> None:
        """Do nothing: a table needs no compacting."""

    def make(self) -> None:
        """Make the table and its view, unless they exist."""
        for statement in (create_result_table, create_result_view):
            self.source.run(statement(self.source.settings))

    def _merge(self, rows: Sequence[CaseResult]) -> None:
        sql = merge_results(self.source.settings, len(rows))
        binds = [_text(value) for row in rows for value in to_row(row).values()]
        self._with_table(lambda: self.source.run(sql, binds))

    def _read(self, run_id: str | None = None) -> pa.Table:
        sql = select_results(self.source.settings, of_one_run=run_id is not None)
        binds = None if run_id is None else [run_id]

        def fetch(session: Session) -> pa.Table:
            return session.sql(sql, params=binds).to_arrow()

        return _fitted(self._with_table(lambda: self.source.attempt(fetch)))

    def _with_table(self, work: Callable[[], Answer]) -> Answer:
        """Do some work, and again after making the table where it is missing or too old."""
        try:
            return work()
        except StoreError as error:
            if is_missing(error):
                mend = self.make
            elif lacks_column(error):
                mend = self._upgrade
            else:
                raise
        mend()
        return work()

    def _upgrade(self) -> None:
        """Give a table and view of an earlier version the columns of this one.

        Raises:
            ForbiddenError: They belong to another role, such as that of setup.
        """
        settings = self.source.settings
        try:
            for statement in (*add_later_columns(settings), replace_result_view(settings)):
                self.source.run(statement)
        except ForbiddenError as error:
            msg = "the result table has the columns of this version of lungreg"
            mend = "run 'lungreg setup --execute', which adds them and keeps the rows"
            raise ForbiddenError(msg, got="a table of an earlier one", mend=mend) from error


def _text(value: object) -> str | None:
    """A value as text that Snowflake casts to its column's type, the only way to bind NaN."""
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return repr(value)


def _fitted(table: pa.Table) -> pa.Table:
    """The table cast to the schema of the rows: the driver chooses types by the values."""
    named = table.rename_columns([name.lower() for name in table.column_names])
    return named.select(result_schema().names).cast(result_schema())
