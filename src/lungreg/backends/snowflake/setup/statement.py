"""One statement of the setup, and the mark by which its objects are known again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungreg.config import SnowflakeBackend

if TYPE_CHECKING:
    from snowflake.snowpark import Row

Ask = Callable[[str], Sequence["Row"]]
"""Runs a statement."""

MARK = "Made by lungreg setup for "
"""Begins the comment of what setup makes; the database's name follows."""


def mark_of(settings: SnowflakeBackend) -> str:
    """The comment of this installation's objects: teardown drops nothing that has another.

    Warehouse, compute pool, roles and integration are the account's, and their default names those
    of every installation: whose they are is told by the database.
    """
    return f"{MARK}{settings.database.upper()}"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """SQL that changes nothing when it is run again."""

    sql: str
    note: str = ""
    """What a person who runs it by hand should know."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question whether an object exists."""

    kind: str
    """As SHOW names it: "NETWORK RULES"."""
    name: str
    """Unquoted, without database and schema."""
    scope: str = ""
    """Where to look: "IN SCHEMA A.B"; empty for the account."""

    def found(self, ask: Ask) -> list[Row]:
        """The rows of SHOW about it; LIKE takes "_" for any character, so names are compared."""
        rows = ask(f"SHOW {self.kind} LIKE '{self.name}' {self.scope}".rstrip())
        return [row for row in rows if str(row["name"]).upper() == self.name.upper()]
