"""Run setup and teardown in the account."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from lungreg.backends.snowflake.app.app_sql import app_name, app_script, put_app, write_app
from lungreg.backends.snowflake.connection.faults import (
    is_forbidden,
    is_lost,
    lacks_privilege,
    refuses_role,
)
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup.egress import refuse_foreign_egress
from lungreg.backends.snowflake.setup.families import with_family
from lungreg.backends.snowflake.setup.grants import grants_by_others
from lungreg.backends.snowflake.setup.notebook_files import write_notebooks
from lungreg.backends.snowflake.setup.notebooks import (
    notebook_script,
    notebook_statements,
    put_notebooks,
)
from lungreg.backends.snowflake.setup.parts import make_part, notes_of, part_script
from lungreg.backends.snowflake.setup.script import setup_script, setup_statements
from lungreg.backends.snowflake.setup.statement import Ask, asked
from lungreg.backends.snowflake.setup.teardown import find_removals
from lungreg.backends.snowflake.tables.result_sql import describe_result_view, replace_result_view
from lungreg.config import Config, SnowflakeBackend
from lungreg.errors import ForbiddenError
from lungreg.records import RESULT_COLUMNS
from lungreg.stores import Provisioned, Removal, SetupPart

if TYPE_CHECKING:
    from snowflake.snowpark import Row, Session

Answer = TypeVar("Answer")
_THERE = "already exists"
"""In the answer of CREATE .. IF NOT EXISTS where the object existed."""

_NOT_HAD = "a user without it"


@dataclass(frozen=True)
class SnowflakeProvisioner:
    """The account's objects. Implements `lungreg.stores.Provisioner`.

    All statements run in the role of `roles.setup`, which owns the objects. A login asks for that
    role: the connection's own may be one that setup has yet to make. A notebook's session has its
    own role again afterwards.
    """

    source: SessionSource

    def script(self) -> str:
        """The SQL of `make`, for a person to read or run."""
        return setup_script(self.source.settings)

    def make(self) -> Provisioned:
        """Make the objects that are missing, and let jobs reach only the configured hosts.

        A result table of an earlier version gets its new columns, and its view is replaced.

        Raises:
            ConfigError: The account's cloud has no such nodes.
            AlreadyExistsError: The network rule or its integration is of another installation.
            ForbiddenError: The role lacks a privilege.
            StoreUnavailableError: The account does not answer.
        """

        def run_all(ask: Ask) -> Provisioned:
            settings = with_family(self.source.settings, ask)
            refuse_foreign_egress(settings, ask)
            done, left = asked(setup_statements(settings), ask)
            _renew_view(settings, ask)
            created = [_first_cell(rows) for each, rows in done if each.sql.startswith("CREATE")]
            found = sum(_THERE in answer for answer in created)
            return Provisioned(
                made=len(created) - found,
                found=found,
                statements=len(done),
                left=(*left, *left_to_others(settings, ask)),
            )

        return self._in_role(run_all)

    def part_script(self, part: SetupPart) -> str:
        """The SQL of `make_part`, for a person to read or run after that of `make`."""
        return part_script(self.source.settings, part)

    def part_notes(self, part: SetupPart) -> Sequence[str]:
        """What a person is told once the part is made."""
        return notes_of(self.source.settings, part)

    def make_part(self, part: SetupPart) -> Sequence[str]:
        """Make a part; run again it changes nothing.

        Returns:
            The SQL that somebody else must run.

        Raises:
            ForbiddenError: The role lacks a privilege, or `make` was not run before.
            StoreUnavailableError: The account does not answer.
        """
        return self._in_role(lambda ask: make_part(self.source.settings, part, ask))

    def notebook_script(self) -> str:
        """The SQL of `make_notebooks`, for a person to read or run after that of `make`."""
        return notebook_script(self.source.settings)

    def make_notebooks(self, config: Config) -> int:
        """Put the notebooks and what they install in place; earlier ones are replaced.

        Args:
            config: Of the notebooks' runs; what is of this machine alone is left out.

        Returns:
            Number of files.

        Raises:
            RunError: What notebooks install cannot be packed.
            ForbiddenError: The role lacks a privilege, or `make` was not run before.
            StoreUnavailableError: The account does not answer.
        """
        settings = self.source.settings
        with TemporaryDirectory(prefix="lungreg-") as folder:
            files = write_notebooks(config, settings, Path(folder))

            def put_all(ask: Ask) -> None:
                for statement in notebook_statements(settings):
                    ask(statement.sql)
                put_notebooks(settings, files, ask)

            self._in_role(put_all)
        return len(files)

    def app_script(self) -> str:
        """The SQL of `make_app`, for a person to read or run after that of `make`."""
        return app_script(self.source.settings)

    def make_app(self) -> str:
        """Make the page of the results in Streamlit; the files of an earlier one are replaced.

        Returns:
            Its full name.

        Raises:
            ForbiddenError: The role lacks a privilege, or `make` was not run before.
            StoreUnavailableError: The account does not answer.
        """
        settings = self.source.settings
        with TemporaryDirectory(prefix="lungreg-") as folder:
            files = write_app(settings, Path(folder))
            self._in_role(lambda ask: put_app(settings, files, ask))
        return app_name(settings)

    def removals(self) -> list[Removal]:
        """List what `remove` would drop, and what is kept and why; changes nothing."""
        return self._in_role(lambda ask: find_removals(self.source.settings, ask))

    def remove(self, removals: Sequence[Removal]) -> None:
        """Drop the listed objects for good."""

        def drop(ask: Ask) -> None:
            for removal in removals:
                for sql in removal.statements:
                    ask(sql)

        self._in_role(drop)

    def _in_role(self, work: Callable[[Ask], Answer]) -> Answer:
        def done(session: Session) -> Answer:
            with _role(session, self.source.settings.roles.setup):
                return work(lambda sql: session.sql(sql).collect())

        role = self.source.settings.roles.setup
        as_setup = self.source.settings.model_copy(update={"role": role})
        try:
            return replace(self.source, settings=as_setup).attempt(done)
        except ForbiddenError as error:
            if refuses_role(error):
                raise _not_had(role) from error
            if lacks_privilege(error) and error.got != _NOT_HAD:
                listed = "what the first lines of 'lungreg setup' list"
                error.mend = f"let an administrator grant {role} {listed}"
            raise


@contextmanager
def _role(session: Session, role: str) -> Iterator[None]:
    """Use a role during the block, and the session's own again afterwards."""
    before = session.get_current_role()
    try:
        session.use_role(role)
    except Exception as error:
        if not is_forbidden(error):
            raise
        raise _not_had(role) from error
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(Exception):  # a lost session is not used again
                session.use_role(before)


def _not_had(role: str) -> ForbiddenError:
    msg = "setup and teardown are done in the role of roles.setup"
    mend = f"let an administrator give you {role}, as the first lines of 'lungreg setup' say"
    return ForbiddenError(msg, got=_NOT_HAD, mend=mend)


def _renew_view(settings: SnowflakeBackend, ask: Ask) -> None:
    """Replace a view that an earlier version made: a view's columns cannot be altered."""
    found = {str(row[0]).lower() for row in ask(describe_result_view(settings))}
    if not found.issuperset(RESULT_COLUMNS):
        ask(replace_result_view(settings))


def left_to_others(settings: SnowflakeBackend, ask: Ask) -> tuple[str, ...]:
    """Make the grants that need not be the role's to make; the SQL of those that it may not."""
    left = []
    for grant in grants_by_others(settings):
        try:
            ask(grant.sql)
        except Exception as error:
            if is_lost(error):
                raise
            left.append(grant.sql)
    return tuple(left)


def _first_cell(rows: Sequence[Row]) -> str:
    return str(rows[0][0]) if rows else ""
