"""The protocols of backends in an account: Provisioner, Billing and Examiner."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from lungreg.config import Config
from lungreg.errors import LungregError

SetupPart = Literal["schedules", "governance"]
"""What `lungreg setup` makes where it is asked for by name."""
CHECK_LINE = "lungreg: check "
"""Begins the line of a check in a job's log; JSON follows."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One object that teardown has found."""

    kind: str
    """Such as "database" or "compute pool"."""
    name: str
    statements: tuple[str, ...] = ()
    """The SQL that drops it; none where it is kept."""
    holds: str = ""
    """What is dropped with it."""
    kept: str = ""
    """Why it is kept; empty where it is dropped."""


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """The result of setup."""

    made: int
    """Objects that were missing."""
    found: int
    """Objects that existed already, where the account's answer says so."""
    statements: int
    """Number of statements that were run, grants too."""
    left: tuple[str, ...] = ()
    """SQL of grants that this user may not make, for somebody who may."""


@runtime_checkable
class Provisioner(Protocol):
    """Makes the objects that a backend needs, and removes them. Only some backends have one.

    Contract:
        - `make` makes the objects that are missing, changes nothing of others and drops nothing:
          run again it changes nothing.
        - `removals` changes nothing. It lists objects that `make` has made, to be removed, and
          others with the reason why they are kept.
    """

    def script(self) -> str:
        """The SQL of `make`, to read or to run by hand."""

    def make(self) -> Provisioned:
        """Make the objects that are missing."""

    def part_script(self, part: SetupPart) -> str:
        """The SQL of `make_part`, to read or to run by hand after that of `make`."""

    def part_notes(self, part: SetupPart) -> Sequence[str]:
        """What a person is told once the part is made."""

    def make_part(self, part: SetupPart) -> Sequence[str]:
        """Make a part that not everybody needs; returns the SQL that is left to others."""

    def notebook_script(self) -> str:
        """The SQL of `make_notebooks`, to read or to run by hand after that of `make`."""

    def make_notebooks(self, config: Config) -> int:
        """Put notebooks for this configuration in place; returns the number of files."""

    def app_script(self) -> str:
        """The SQL of `make_app`, to read or to run by hand after that of `make`."""

    def make_app(self) -> str:
        """Make the page of the results, or replace its files; returns its name."""

    def removals(self) -> list[Removal]:
        """List what `remove` would drop, in order, and what is kept."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Drop the listed objects for good."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """Compute that is allocated to a process, and billed for as long."""

    nodes: int
    pool: str


@dataclass(frozen=True, kw_only=True)
class BillQuery:
    """A query by which a person gets the bill from the provider."""

    sql: str
    """Complete, without bound values."""
    note: str
    """What else is in the answer, and when it is complete."""


@runtime_checkable
class Billing(Protocol):
    """The bill of a backend's compute. Only some backends have one."""

    def held(self, *, in_batch: bool = False) -> Held | None:
        """The compute that this process uses; None where none of it is billed.

        Args:
            in_batch: Whether a batch job of the backend does the work.
        """

    def query(self, begin: datetime, end: datetime, pool: str | None = None) -> BillQuery:
        """The query for the credits of the compute between two times in UTC.

        Args:
            begin: First time.
            end: Last time.
            pool: The compute pool; None for that of the configuration.
        """


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check."""

    name: str
    state: str
    """"ok", "warn", "fail", or "skipped" where something that it needs has failed."""
    found: str
    mend: str = ""
    where: str = ""
    """A file or folder, for the person at the console: no report to others has it."""

    @property
    def line(self) -> str:
        """The check as a line of a log, without `where`: others read it."""
        told = {"name": self.name, "state": self.state, "found": self.found, "mend": self.mend}
        return f"{CHECK_LINE}{json.dumps(told)}"

    @classmethod
    def from_line(cls, text: str) -> Check | None:
        """The check of a log's line; None for any other line."""
        _, sign, told = text.partition(CHECK_LINE)
        try:
            return cls(**json.loads(told)) if sign else None
        except (ValueError, TypeError):
            return None

    @classmethod
    def failed(cls, name: str, error: LungregError) -> Check:
        """A check that failed with an error."""
        mend = error.mend or ""
        found = error.anonymous.removesuffix(f"; {mend}")
        where = "" if error.where is None else str(error.where)
        return cls(name=name, state="fail", found=found, mend=mend, where=where)


@runtime_checkable
class Examiner(Protocol):
    """The checks of a backend. Only some backends have one.

    Contract:
        - Both leave nothing changed and raise nothing: an error is a check that failed.
    """

    def examine(self) -> list[Check]:
        """Run the checks of `lungreg doctor`, which take seconds."""

    def try_out(self) -> Iterator[Check]:
        """Try what the steps of this user do, and undo it: the checks of `lungreg check`."""
