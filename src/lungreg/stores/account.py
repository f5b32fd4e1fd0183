"""What only a backend in an account has: its setup, its bill, its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from lungreg.errors import LungregError


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One object that teardown found."""

    kind: str
    """As a person calls it: "database", "compute pool"."""
    name: str
    statements: tuple[str, ...] = ()
    """What drops it; none where it is kept."""
    holds: str = ""
    """What goes with it."""
    kept: str = ""
    """Why it stays; empty where it goes."""


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """What setup has done."""

    made: int
    """Objects that were missing."""
    found: int
    """Objects that were there already, as far as the account tells."""
    statements: int
    """All that was run, grants too."""


@runtime_checkable
class Provisioner(Protocol):
    """What must be made once before a backend can be used. Only some backends have one.

    Contract:
        - `make` makes what is missing, changes nothing of others and drops nothing: run twice it
          leaves what it left once.
        - `removals` changes nothing. It offers only what `make` made, and names with a reason
          what it found and keeps.
    """

    def script(self) -> str:
        """What `make` runs, for a person to read or to run by hand."""

    def make(self) -> Provisioned:
        """Make what is missing."""

    def removals(self) -> list[Removal]:
        """What `remove` would drop, in order, and what is kept."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Drop for good what is listed."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """Compute that is billed while it is held."""

    nodes: int
    pool: str


@dataclass(frozen=True, kw_only=True)
class BillQuery:
    """How a person asks the provider what was billed."""

    sql: str
    """Whole, to be run as it is."""
    note: str
    """What the answer holds beside the run, and from when on."""


@runtime_checkable
class Billing(Protocol):
    """Where the bill of a backend stands. Only some backends send one."""

    def held(self, *, in_batch: bool = False) -> Held | None:
        """What the work of this process holds; None where none of it is billed.

        Args:
            in_batch: Whether a batch job of the backend does the work.
        """

    def query(self, begin: datetime, end: datetime, pool: str | None = None) -> BillQuery:
        """What asks for the credits of the compute between two times in UTC.

        Args:
            begin: From when.
            end: Until when.
            pool: Which compute; None for that of the configuration.
        """


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at."""

    name: str
    state: str
    """"ok", "warn" or "fail"."""
    found: str
    mend: str = ""

    @classmethod
    def failed(cls, name: str, error: LungregError) -> Check:
        """A check that met an error."""
        mend = error.mend or ""
        return cls(name=name, state="fail", found=str(error).removesuffix(f"; {mend}"), mend=mend)


@runtime_checkable
class Examiner(Protocol):
    """What a backend knows of its own state, for `lungreg doctor`. Only some backends have one.

    Contract:
        - `examine` changes nothing that stays and raises nothing: a fault is a check that failed.
    """

    def examine(self) -> list[Check]:
        """What was found."""
