"""How much one statement holds."""

from __future__ import annotations

from lungreg.backends.snowflake.batch import input as batch_input
from lungreg.backends.snowflake.models.rows import INPUT_COLUMNS
from lungreg.backends.snowflake.tables import results
from lungreg.backends.snowflake.tables.result_sql import merge_results
from lungreg.config import SnowflakeBackend
from lungreg.stores.result_rows import result_schema

MOST_EXPRESSIONS = 16_384
"""Snowflake's error 001795 names this limit of a list."""
MOST_BYTES = 1_000_000
"""Of a statement's text, as its documentation advises."""


def test_statements_stay_below_the_limits(settings: SnowflakeBackend) -> None:
    """Rows of one statement, each with all its columns, are far fewer than Snowflake takes."""
    rows = results._ROWS_OF_A_STATEMENT
    assert 2 * rows * len(result_schema()) < MOST_EXPRESSIONS
    assert 2 * len(merge_results(settings, rows)) < MOST_BYTES
    assert 2 * batch_input._ROWS_OF_A_STATEMENT * len(INPUT_COLUMNS) < MOST_EXPRESSIONS
