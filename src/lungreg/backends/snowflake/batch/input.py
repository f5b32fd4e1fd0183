"""The input table of a batch job: case ids, facts, and the path of each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.models.rows import CASE_ID, INPUT_COLUMNS, INPUT_FACTS, INPUT_FILES
from lungreg.records import Case
from lungreg.stores import Stage

if TYPE_CHECKING:
    from snowflake.snowpark import DataFrame, Session

_TYPES = {str: "VARCHAR", float: "DOUBLE", bytes: "VARCHAR"}
"""SQL type of a column by its type in Python; bytes stand as the path of their file."""
ROWS_PER_STATEMENT = 200
Row = Mapping[str, object]


def input_rows(stage: Stage, cases: Sequence[Case], no_file: str) -> list[Row]:
    """A row for each case, files as the paths that the job opens.

    Args:
        stage: Where the files lie.
        cases: What to register.
        no_file: Name of the placeholder for files that a case lacks.
    """
    rows: list[Row] = []
    for case in cases:
        names = {column: getattr(case, name) for name, column in INPUT_FILES.items()}
        paths = {column: stage.uri(name or no_file) for column, name in names.items()}
        facts = {column: getattr(case, name) for name, (column, _) in INPUT_FACTS.items()}
        rows.append({CASE_ID: case.case_id, **paths, **facts})
    return rows


@contextmanager
def as_table(session: Session, name: str, rows: Sequence[Row]) -> Iterator[DataFrame]:
    """Write the rows into a temporary table, with bound values, so that they are in no query text.

    Args:
        session: The only one that sees the table.
        name: Full name of the table.
        rows: Of `input_rows`.

    Yields:
        The table, which is dropped afterwards.
    """
    kinds = INPUT_COLUMNS
    columns = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in kinds.items())
    session.sql(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({columns})").collect()
    places = f"({', '.join('?' * len(kinds))})"
    for first in range(0, len(rows), ROWS_PER_STATEMENT):
        part = rows[first : first + ROWS_PER_STATEMENT]
        values = ", ".join([places] * len(part))
        # The table's name is built from checked identifiers; values are bound.
        text = f"INSERT INTO {name} ({', '.join(kinds)}) VALUES {values}"  # noqa: S608
        session.sql(text, params=[row[column] for row in part for column in kinds]).collect()
    try:
        yield session.table(name)
    finally:
        with suppress(Exception):  # with a session that is lost its temporary tables are gone
            session.sql(f"DROP TABLE IF EXISTS {name}").collect()
