"""One statement of the setup, and the mark by which its objects are known again."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "Made by lungreg setup"
"""Comment of what setup makes: teardown drops nothing that does not carry it."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """SQL that changes nothing when it is run again."""

    sql: str
    unless: Probe | None = None
    """Run only where this finds nothing: for the forms that know no IF NOT EXISTS."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question whether an object exists."""

    kind: str
    """As SHOW names it: "NETWORK RULES"."""
    name: str
    """Unquoted, without database and schema."""
    scope: str = ""
    """Where to look: "IN SCHEMA A.B"; empty for the account."""

    @property
    def sql(self) -> str:
        """A SHOW statement; its LIKE takes "_" for any character, so names are compared again."""
        return f"SHOW {self.kind} LIKE '{self.name}' {self.scope}".rstrip()
