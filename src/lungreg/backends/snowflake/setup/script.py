"""The whole setup as one SQL script, to read or to run by hand."""

from __future__ import annotations

from collections.abc import Iterable

from lungreg.backends.snowflake.setup.grants import (
    RUN_BATCH,
    grants_by_others,
    role_statements,
    step_roles,
)
from lungreg.backends.snowflake.setup.objects import object_statements
from lungreg.backends.snowflake.setup.statement import Statement
from lungreg.backends.snowflake.tables.result_sql import (
    add_later_columns,
    create_result_table,
    create_result_view,
)
from lungreg.config import SnowflakeBackend

_OLD_VIEW = "a view that an earlier version made lacks columns: lungreg setup --execute replaces it"
_BY = "by an administrator or whoever owns the objects; setup --execute makes those that it may"
_HEADINGS = {
    "": f"-- For jobs, {_BY}:",
    RUN_BATCH: f"-- Only for 'lungreg infer --engine run-batch', {_BY}:",
}
"""By what needs a grant."""
_ACCOUNT_PRIVILEGES = ("DATABASE", "WAREHOUSE", "COMPUTE POOL", "ROLE")


def setup_statements(settings: SnowflakeBackend) -> list[Statement]:
    """All statements of setup, in the role of `roles.setup`; run again they change nothing."""
    return [
        *object_statements(settings),
        *table_statements(settings),
        *role_statements(settings),
    ]


def setup_script(settings: SnowflakeBackend) -> str:
    """The statements, after comments on what an administrator must do before and afterwards."""
    lines = [*_preface(settings), "", f"USE ROLE {settings.roles.setup};"]
    return "\n".join([*lines, *as_lines(setup_statements(settings))]) + "\n"


def as_lines(statements: Iterable[Statement]) -> list[str]:
    """Statements with their notes, to read or to run by hand."""
    lines = []
    for statement in statements:
        lines += [f"-- {statement.note}"] if statement.note else []
        lines.append(f"{statement.sql};")
    return lines


def _preface(settings: SnowflakeBackend) -> list[str]:
    roles = settings.roles
    kinds = (*_ACCOUNT_PRIVILEGES, *(("INTEGRATION",) if settings.egress.hosts else ()))
    privileges = ", ".join(f"CREATE {kind}" for kind in kinds)
    return [
        "-- Before the first time, by an administrator of the account:",
        f"--   CREATE ROLE IF NOT EXISTS {roles.setup};",
        f"--   GRANT {privileges} ON ACCOUNT TO ROLE {roles.setup};",
        f"--   GRANT ROLE {roles.setup} TO USER ...;",
        "-- Afterwards give each person the roles of their work:",
        *(f"--   GRANT ROLE {role} TO USER ...;" for role in step_roles(settings)),
        *_by_others(settings),
    ]


def _by_others(settings: SnowflakeBackend) -> list[str]:
    """Comments on grants that setup may not be able to make, by what needs them."""
    grants = grants_by_others(settings)
    lines = []
    for need, heading in _HEADINGS.items():
        those = [grant for grant in grants if grant.only_for == need]
        lines += [heading, *(f"--   {grant.sql};" for grant in those)] if those else []
    return lines


def table_statements(settings: SnowflakeBackend) -> list[Statement]:
    """The result table with all columns, and the view of each case's latest success."""
    return [
        Statement(sql=create_result_table(settings)),
        *(Statement(sql=sql) for sql in add_later_columns(settings)),
        Statement(sql=create_result_view(settings), note=_OLD_VIEW),
    ]
