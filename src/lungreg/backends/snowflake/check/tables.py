"""Try the result table and its view: a row is written, read and undone, as far as the role may."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.check.trial import SESSION, Trial
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables.result_sql import result_table, result_view
from lungreg.errors import StoreError
from lungreg.records import Split, Status, Verdict
from lungreg.stores.result_rows import result_schema

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_MEND = "run 'lungreg setup --execute', which makes it, and adds what a new version needs"


def table_trials(source: SessionSource, privileges: str) -> list[Trial]:
    """The rows on the result table.

    Args:
        source: Sessions of the role.
        privileges: What the role needs on it: "SELECT", or "INSERT" and "UPDATE" too.
    """
    table = result_table(source.settings)
    work = partial(_round_trip, source) if "INSERT" in privileges else partial(_read, source, table)
    name = f"table {table.rpartition('.')[2]}"
    return [Trial(name=name, work=work, mend=_MEND, needs=(SESSION,))]


def view_trials(source: SessionSource) -> list[Trial]:
    """The row on the view of results."""
    view = result_view(source.settings)
    name = f"view {view.rpartition('.')[2]}"
    return [Trial(name=name, work=partial(_read, source, view), mend=_MEND, needs=(SESSION,))]


def _read(source: SessionSource, name: str) -> str:
    source.run(f"{_select(name)} LIMIT 1")
    return "read; this role does not write there"


def _round_trip(source: SessionSource) -> str:
    """Insert a row, change it, read it, and roll all back: no role may delete rows."""
    run_id = f"check-{secrets.token_hex(6)}"
    found = source.attempt(lambda session: _written_and_undone(session, source, run_id))
    if found != 1:
        msg = "a row that was written to the result table is read from it"
        raise StoreError(msg, got=f"{found}")
    return "written, read, rolled back"


def _written_and_undone(session: Session, source: SessionSource, run_id: str) -> int:
    """How many rows are read before the end."""
    table, row = result_table(source.settings), _row(run_id)
    names, places = ", ".join(row), ", ".join("?" * len(row))
    session.sql("BEGIN").collect()
    try:
        for sql, binds in (
            (f"INSERT INTO {table} ({names}) VALUES ({places})", [*row.values()]),  # noqa: S608
            (f"UPDATE {table} SET attempt = 2 WHERE run_id = ?", [run_id]),  # noqa: S608
        ):
            session.sql(sql, params=binds).collect()
        return len(session.sql(f"{_select(table)} WHERE run_id = ?", params=[run_id]).collect())
    finally:
        with suppress(Exception):  # of a lost session nothing is kept
            session.sql("ROLLBACK").collect()


def _select(name: str) -> str:
    """All columns, so that a table of an earlier version is found out."""
    return f"SELECT {', '.join(result_schema().names)} FROM {name}"  # noqa: S608  # validated


def _row(run_id: str) -> dict[str, str | int]:
    """The values that no row lacks."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return {
        "run_id": run_id,
        "case_id": "check",
        "status": str(Status.FAILED),
        "verdict": str(Verdict.FAIL),
        "split": str(Split.TEST),
        "attempt": 1,
        "started_at": now,
        "finished_at": now,
    }
