"""A statement of setup, and the comment by which teardown knows an object of this installation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.faults import is_lost
from lungreg.config import SnowflakeBackend

if TYPE_CHECKING:
    from snowflake.snowpark import Row

Ask = Callable[[str], Sequence["Row"]]
"""Runs a statement and returns its rows."""

MARK = "Made by lungreg setup for "
"""Begins the comment of each object of setup; the database's name follows."""


def mark_of(settings: SnowflakeBackend) -> str:
    """The comment of this installation's objects; teardown keeps objects with another one.

    It names the database, since warehouse, compute pool, roles and integration belong to no
    database and have the same default names in every installation.
    """
    return f"{MARK}{settings.database.upper()}"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement that changes nothing when it is run again."""

    sql: str
    note: str = ""
    """For a person who runs it by hand."""
    may_be_left: bool = False
    """Where setup may not run it, another does."""
    unless: str = ""
    """A query: where it has rows, the statement is not run."""


Asked = tuple[Statement, Sequence["Row"]]
"""A statement that ran, and its rows."""


def asked(statements: Iterable[Statement], ask: Ask) -> tuple[list[Asked], list[str]]:
    """Run statements; returns those that ran with their rows, and the SQL left to others."""
    done: list[Asked] = []
    left: list[str] = []
    for statement in statements:
        try:
            if not (statement.unless and ask(statement.unless)):
                done.append((statement, ask(statement.sql)))
        except Exception as error:
            if not statement.may_be_left or is_lost(error):
                raise
            left.append(statement.sql)
    return done, left


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A query whether an object exists."""

    kind: str
    """The kind as in SHOW: "NETWORK RULES"."""
    name: str
    """Unquoted, without database and schema."""
    scope: str = ""
    """Where to look: "IN SCHEMA A.B"; empty for the account."""

    def found(self, ask: Ask) -> list[Row]:
        """The rows of SHOW for it; names are compared, since "_" matches any character in LIKE."""
        rows = ask(f"SHOW {self.kind} LIKE '{self.name}' {self.scope}".rstrip())
        return [row for row in rows if str(row["name"]).upper() == self.name.upper()]
