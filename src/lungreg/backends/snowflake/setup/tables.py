"""The tables of the stores, which know their columns themselves."""

from __future__ import annotations

from lungreg.backends.snowflake.claims import create_claim_table
from lungreg.backends.snowflake.result_sql import create_result_table, create_result_view
from lungreg.backends.snowflake.setup.statement import Statement
from lungreg.config import SnowflakeBackend


def table_statements(settings: SnowflakeBackend) -> list[Statement]:
    """What holds claims on file names, what holds results, and the view of the latest."""
    made = (create_claim_table, create_result_table, create_result_view)
    return [Statement(sql=statement(settings)) for statement in made]
