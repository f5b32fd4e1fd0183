"""The statements of the result table."""

from __future__ import annotations

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables.result_sql import create_result_table, merge_results
from lungreg.backends.snowflake.tables.results import SnowflakeResultTable
from lungreg.config import SnowflakeBackend
from lungreg.stores.result_rows import result_schema
from tests.backends.snowflake.limits import MOST_BYTES, MOST_EXPRESSIONS


def test_a_merge_stays_below_the_limits() -> None:
    """Rows of one statement, each with all its columns, are far fewer than Snowflake allows."""
    settings = SnowflakeBackend(kind="snowflake")
    rows = SnowflakeResultTable(SessionSource(settings)).rows_per_statement
    assert 2 * rows * len(result_schema()) < MOST_EXPRESSIONS
    assert 2 * len(merge_results(settings, rows)) < MOST_BYTES


def test_columns_have_types() -> None:
    """Numbers are numbers and times are times, so that SQL in the account can count with them."""
    ddl = create_result_table(SnowflakeBackend(kind="snowflake"))
    assert "dice_score FLOAT" in ddl
    assert "finished_at TIMESTAMP_TZ(6) NOT NULL" in ddl
    assert "attempt NUMBER(18, 0) NOT NULL" in ddl
    assert "error_message VARCHAR" in ddl
