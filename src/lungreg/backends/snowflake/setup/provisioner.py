"""Setup and teardown in the account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.session import SessionSource
from lungreg.backends.snowflake.setup.script import setup_script, setup_statements
from lungreg.backends.snowflake.setup.statement import Probe
from lungreg.backends.snowflake.setup.teardown import find_removals
from lungreg.stores import Removal

if TYPE_CHECKING:
    from snowflake.snowpark import Row, Session


@dataclass(frozen=True)
class SnowflakeProvisioner:
    """The account's objects. Implements `lungreg.stores.Provisioner`.

    All is done in the role of `roles.setup`, which owns what it makes.
    """

    source: SessionSource

    def script(self) -> str:
        """The SQL of `make`, for a person to read or run."""
        return setup_script(self.source.settings)

    def make(self) -> int:
        """Make what is missing.

        Returns:
            How many statements were run.

        Raises:
            StoreUnavailableError: The account does not answer, or the role lacks a privilege.
        """
        statements = setup_statements(self.source.settings)

        def run_all(session: Session) -> int:
            session.use_role(self.source.settings.roles.setup)
            count = 0
            for statement in statements:
                if statement.unless is None or not _exists(session, statement.unless):
                    session.sql(statement.sql).collect()
                    count += 1
            return count

        return self.source.attempt(run_all)

    def removals(self) -> list[Removal]:
        """What `remove` would drop, and what is kept and why; changes nothing."""

        def find(session: Session) -> list[Removal]:
            session.use_role(self.source.settings.roles.setup)
            return find_removals(self.source.settings, lambda sql: session.sql(sql).collect())

        return self.source.attempt(find)

    def remove(self, removals: Sequence[Removal]) -> None:
        """Drop for good what is listed."""

        def drop(session: Session) -> None:
            session.use_role(self.source.settings.roles.setup)
            for removal in removals:
                for sql in removal.statements:
                    session.sql(sql).collect()

        self.source.attempt(drop)


def _exists(session: Session, probe: Probe) -> bool:
    rows: list[Row] = session.sql(probe.sql).collect()
    return any(str(row["name"]).upper() == probe.name.upper() for row in rows)
