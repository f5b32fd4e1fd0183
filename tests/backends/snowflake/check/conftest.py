"""One account that was set up, for all checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from lungreg.backends.snowflake.check.privileges import privilege_trials
from lungreg.backends.snowflake.check.rehearsal import try_out
from lungreg.backends.snowflake.check.trial import SESSION, tried
from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.grants import Grant, grants_of
from lungreg.backends.snowflake.tables.result_sql import result_table
from lungreg.config import SnowflakeBackend
from lungreg.stores import Check
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.experiments import Experiments
from tests.backends.snowflake.peer.models import Models
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.setup.account import Account

SETTINGS = {
    "kind": "snowflake",
    "connection": CONNECTION,
    "database": "CHECKED",
    "timeout_s": 10,
    "egress": {"hosts": ["pypi.org:443"]},
}


@dataclass
class Checked:
    """An account with the grants of setup."""

    settings: SnowflakeBackend
    privileges: Privileges
    models: Models
    account: Account

    def source(self, role: str) -> SessionSource:
        """Sessions of a role."""
        return SessionSource(self.settings.model_copy(update={"role": role}))

    @staticmethod
    def plain() -> SnowflakeBackend:
        """The configuration."""
        return SnowflakeBackend.model_validate(SETTINGS)

    @contextmanager
    def without(self, role: str, privilege: str, grant: Grant) -> Iterator[None]:
        """Take a privilege away during the block."""
        is_future = grant.kind.startswith("FUTURE ")
        take = self.privileges.take_future if is_future else self.privileges.take
        give = self.privileges.give_future if is_future else self.privileges.give
        take(role, privilege, grant.name.upper())
        try:
            yield
        finally:
            give(role, privilege, grant.name.upper())

    def left(self) -> int:
        """Rows of the result table."""
        count = f"SELECT COUNT(*) FROM {result_table(self.settings)}"
        return int(SessionSource(self.settings).run(count)[0][0])

    def granted(self, role: str) -> dict[str, Check]:
        """What is found of a role's privileges alone."""
        source = self.source(role)
        trials = privilege_trials(source, role, grants_of(self.settings, role))
        return {check.name: check for check in tried(trials, passed=(SESSION,))}

    def rows(self, role: str) -> dict[str, Check]:
        """What is found in a role, by name of the row."""
        return {check.name: check for check in try_out(self.source(role))}


@pytest.fixture(scope="module")
def checked(running: Peer) -> Iterator[Checked]:
    """Set up once; each test leaves it as it was."""
    settings = Checked.plain()
    running.forget()
    try:
        account, models = Account(running), Models(running)
        Experiments(running)
        privileges = Privileges(running)
        SnowflakeProvisioner(SessionSource(settings)).make()
        yield Checked(settings, privileges, models, account)
    finally:
        close_all()
        running.forget()
