"""Setup and teardown in the account."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lungreg.backends.snowflake.connection.faults import is_forbidden, lacks_privilege
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup.egress import refuse_foreign_egress
from lungreg.backends.snowflake.setup.script import setup_script, setup_statements
from lungreg.backends.snowflake.setup.statement import Ask
from lungreg.backends.snowflake.setup.teardown import find_removals
from lungreg.errors import ForbiddenError
from lungreg.stores import Provisioned, Removal

if TYPE_CHECKING:
    from snowflake.snowpark import Row, Session

Answer = TypeVar("Answer")
_THERE = "already exists"
"""What CREATE .. IF NOT EXISTS says of an object that it finds."""

_NOT_HAD = "a user without it"


@dataclass(frozen=True)
class SnowflakeProvisioner:
    """The account's objects. Implements `lungreg.stores.Provisioner`.

    All is done in the role of `roles.setup`, which owns what it makes; a notebook's session has
    its own role again afterwards.
    """

    source: SessionSource

    def script(self) -> str:
        """The SQL of `make`, for a person to read or run."""
        return setup_script(self.source.settings)

    def make(self) -> Provisioned:
        """Make what is missing, and let jobs reach the hosts of the configuration alone.

        Raises:
            AlreadyExistsError: What jobs may reach is told by an object that is not ours.
            ForbiddenError: The role lacks a privilege.
            StoreUnavailableError: The account does not answer.
        """
        statements = [statement.sql for statement in setup_statements(self.source.settings)]

        def run_all(ask: Ask) -> Provisioned:
            refuse_foreign_egress(self.source.settings, ask)
            answers = [(sql, _told(ask(sql))) for sql in statements]
            told = [answer for sql, answer in answers if sql.startswith("CREATE")]
            found = sum(_THERE in answer for answer in told)
            return Provisioned(made=len(told) - found, found=found, statements=len(statements))

        return self._in_role(run_all)

    def removals(self) -> list[Removal]:
        """What `remove` would drop, and what is kept and why; changes nothing."""
        return self._in_role(lambda ask: find_removals(self.source.settings, ask))

    def remove(self, removals: Sequence[Removal]) -> None:
        """Drop for good what is listed."""

        def drop(ask: Ask) -> None:
            for removal in removals:
                for sql in removal.statements:
                    ask(sql)

        self._in_role(drop)

    def _in_role(self, work: Callable[[Ask], Answer]) -> Answer:
        def done(session: Session) -> Answer:
            with _role(session, self.source.settings.roles.setup):
                return work(lambda sql: session.sql(sql).collect())

        try:
            return self.source.attempt(done)
        except ForbiddenError as error:
            if lacks_privilege(error) and error.got != _NOT_HAD:
                role = self.source.settings.roles.setup
                told = "what the first lines of 'lungreg setup' list"
                error.mend = f"let an administrator grant {role} {told}"
            raise


@contextmanager
def _role(session: Session, role: str) -> Iterator[None]:
    """Take a role, and give the session its own back afterwards."""
    before = session.get_current_role()
    try:
        session.use_role(role)
    except Exception as error:
        if not is_forbidden(error):
            raise
        msg = "setup and teardown are done in the role of roles.setup"
        mend = f"let an administrator give you {role}, as the first lines of 'lungreg setup' say"
        raise ForbiddenError(msg, got=_NOT_HAD, mend=mend) from error
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(Exception):  # a lost session is not used again
                session.use_role(before)


def _told(rows: Sequence[Row]) -> str:
    return str(rows[0][0]) if rows else ""
