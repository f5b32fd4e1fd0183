"""The SQL of the result table and its view; the configuration has validated the names in it."""

from __future__ import annotations

import pyarrow as pa

from lungreg.config import SnowflakeBackend
from lungreg.stores.result_rows import result_schema

VIEW, RATINGS = "RESULTS", "RATINGS"
_KEY = ("run_id", "case_id")
LATER_COLUMNS = (
    *("evidence", "tre_p95_mm", "etre_mm", "etre_median_mm", "etre_p95_mm", "etre_aligned_mm"),
    *("etre_found_pct", "ssim_aligned", "ncc_aligned", "reasons"),
)
"""Columns that tables of earlier versions lack. Each new column is added here."""
_LATER = "(s.attempt > t.attempt OR s.attempt = t.attempt AND s.finished_at > t.finished_at)"
"""Whether a row that is merged replaces the one that is there."""
_ALWAYS_GIVEN = {*_KEY, "status", "verdict", "split", "attempt", "started_at", "finished_at"}


def result_table(settings: SnowflakeBackend) -> str:
    """Full name of the table: one row per run and case."""
    return f"{settings.results}.{settings.result_table}"


def result_view(settings: SnowflakeBackend) -> str:
    """Full name of the view: one row per case, its latest success."""
    return f"{settings.results}.{VIEW}"


def ratings_table(settings: SnowflakeBackend) -> str:
    """Full name of the table of people's ratings, which only grows: the latest counts."""
    return f"{settings.results}.{RATINGS}"


def create_result_table(settings: SnowflakeBackend) -> str:
    """The statement that makes the table, unless it exists."""
    columns = [
        f"{field.name} {_type(field)}" + " NOT NULL" * (field.name in _ALWAYS_GIVEN)
        for field in result_schema()
    ]
    return f"CREATE TABLE IF NOT EXISTS {result_table(settings)} (\n  {_lines(columns)}\n)"


def add_later_columns(settings: SnowflakeBackend) -> list[str]:
    """The statements that give a table of an earlier version its new columns, one by one."""
    schema = result_schema()
    return [
        f"ALTER TABLE {result_table(settings)} "
        f"ADD COLUMN IF NOT EXISTS {name} {_type(schema.field(name))}"
        for name in LATER_COLUMNS
    ]


def create_result_view(settings: SnowflakeBackend) -> str:
    """The statement that makes the view, unless it exists."""
    return f"CREATE VIEW IF NOT EXISTS {result_view(settings)} AS\n{_latest_successes(settings)}"


def replace_result_view(settings: SnowflakeBackend) -> str:
    """The statement that gives a view of an earlier version its new columns, and keeps grants."""
    name = result_view(settings)
    return f"CREATE OR REPLACE VIEW {name} COPY GRANTS AS\n{_latest_successes(settings)}"


def describe_result_view(settings: SnowflakeBackend) -> str:
    """The statement that lists the view's columns, one per row, their names first."""
    return f"DESCRIBE VIEW {result_view(settings)}"


def _latest_successes(settings: SnowflakeBackend) -> str:
    return (
        f"SELECT {_names()}\n"
        f"FROM {result_table(settings)}\n"
        "WHERE status = 'success'\n"
        "QUALIFY ROW_NUMBER() OVER (\n"
        "  PARTITION BY case_id ORDER BY finished_at DESC, run_id DESC\n"
        ") = 1"
    )


def select_results(settings: SnowflakeBackend, *, of_one_run: bool) -> str:
    """The row of the last attempt of each run and case; of one run, its id is bound."""
    run = "WHERE run_id = ?\n" if of_one_run else ""
    # Two first writes of one case at once may both insert: the last attempt counts here too.
    return (
        f"SELECT {_names()}\n"
        f"FROM {result_table(settings)}\n"
        f"{run}"
        "QUALIFY ROW_NUMBER() OVER (\n"
        "  PARTITION BY run_id, case_id ORDER BY attempt DESC, finished_at DESC\n"
        ") = 1\n"
        "ORDER BY run_id, case_id"
    )


def merge_results(settings: SnowflakeBackend, count: int) -> str:
    """Insert rows, or replace those of an earlier attempt; all columns are bound as text.

    Of equal attempts the last finished counts. Clocks of two machines differ, attempts do not.
    """
    schema = result_schema()
    given = [_column(number, field) for number, field in enumerate(schema, start=1)]
    values = ", ".join(["(" + ", ".join("?" * len(schema)) + ")"] * count)
    changed = [f"{name} = s.{name}" for name in schema.names if name not in _KEY]
    return (
        f"MERGE INTO {result_table(settings)} t\n"  # noqa: S608  # names are validated, values bound
        f"USING (SELECT {', '.join(given)} FROM VALUES {values}) s\n"
        "ON t.run_id = s.run_id AND t.case_id = s.case_id\n"
        f"WHEN MATCHED AND {_LATER} THEN UPDATE SET {', '.join(changed)}\n"
        f"WHEN NOT MATCHED THEN INSERT ({_names()})\n"
        f"VALUES ({', '.join(f's.{name}' for name in schema.names)})"
    )


def _column(number: int, field: pa.Field) -> str:
    """A bound text, cast to the type of its column."""
    cast = "" if _type(field) == "VARCHAR" else f"::{_type(field)}"
    return f"column{number}{cast} AS {field.name}"


def _names() -> str:
    return ", ".join(result_schema().names)


def _lines(parts: list[str]) -> str:
    return ",\n  ".join(parts)


def _type(field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type):
        return "TIMESTAMP_TZ(6)"
    return {pa.float64(): "FLOAT", pa.int64(): "NUMBER(18, 0)"}.get(field.type, "VARCHAR")
