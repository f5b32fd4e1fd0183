"""The input table of a batch job."""

from __future__ import annotations

from lungreg.backends.snowflake.batch.input import ROWS_PER_STATEMENT
from lungreg.backends.snowflake.models.rows import INPUT_COLUMNS
from tests.backends.snowflake.limits import MOST_EXPRESSIONS


def test_an_insert_stays_below_the_limit() -> None:
    """Rows of one statement, each with all its columns, are far fewer than Snowflake allows."""
    assert 2 * ROWS_PER_STATEMENT * len(INPUT_COLUMNS) < MOST_EXPRESSIONS
