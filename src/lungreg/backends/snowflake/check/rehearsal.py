"""All that is tried in an account, as the grants of the session's role say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lungreg.backends.snowflake.check.machine import machine_trials
from lungreg.backends.snowflake.check.models import (
    experiment_trials,
    reading_trials,
    storing_trials,
)
from lungreg.backends.snowflake.check.privileges import privilege_trials
from lungreg.backends.snowflake.check.stages import stage_trials
from lungreg.backends.snowflake.check.tables import table_trials, view_trials
from lungreg.backends.snowflake.check.trial import SESSION, Trial, tried
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup.grants import Grant, grants_of
from lungreg.config import SnowflakeBackend
from lungreg.errors import LungregError
from lungreg.stores import Check

_OF_NO_STEP = "take the role of a step, with --set backend.role=ROLE or in the connection"
_BY_KIND: dict[str, Callable[[SessionSource, Grant], list[Trial]]] = {
    "STAGE": lambda source, grant: stage_trials(source, grant.name, grant.privileges),
    "TABLE": lambda source, grant: table_trials(source, grant.privileges),
    "VIEW": lambda source, _: view_trials(source),
}
"""What is tried for a grant, by the kind of its object."""
_BY_PRIVILEGE: dict[tuple[str, str], Callable[[SessionSource], list[Trial]]] = {
    ("CREATE MODEL", "SCHEMA"): storing_trials,
    ("CREATE EXPERIMENT", "SCHEMA"): experiment_trials,
    ("READ", "FUTURE MODELS IN SCHEMA"): reading_trials,
}
"""The same by privilege and kind, for grants of one privilege."""


def try_out(source: SessionSource) -> Iterator[Check]:
    """Try what the steps of the session's role do, and undo it; a row for each, as it is known.

    What is tried follows from the grants of setup: of a role of the configuration its own, of
    another those of training and inference.
    """
    yield from tried(machine_trials(source))
    role, row = _session(source)
    yield row
    if not role:
        yield Check(name="account", state="skipped", found=f"needs {SESSION}")
        return
    grants = grants_of(source.settings, role)
    if not grants:
        yield Check(name="role", state="warn", found=f"{role} is of no step", mend=_OF_NO_STEP)
        grants = _of_jobs(source.settings, role)
    yield from tried(trials_of(source, role, grants), passed=(SESSION,))


def trials_of(source: SessionSource, role: str, grants: list[Grant]) -> list[Trial]:
    """What is tried in a role that needs these grants, in order."""
    done = [trial for grant in grants for trial in _of_grant(source, grant)]
    return [*privilege_trials(source, role, grants), *done]


def _of_grant(source: SessionSource, grant: Grant) -> list[Trial]:
    of_kind = _BY_KIND.get(grant.kind)
    if of_kind is not None:
        return of_kind(source, grant)
    of_privilege = _BY_PRIVILEGE.get((grant.privileges, grant.kind))
    if of_privilege is None or (of_privilege is experiment_trials and not source.settings.tracking):
        return []
    return of_privilege(source)


def _of_jobs(settings: SnowflakeBackend, role: str) -> list[Grant]:
    """What training and inference need, as grants to another role; each object once."""
    roles = settings.roles
    needed = [grant for each in (roles.train, roles.infer) for grant in grants_of(settings, each)]
    return [*dict.fromkeys(replace(grant, role=role) for grant in needed)]


def _session(source: SessionSource) -> tuple[str, Check]:
    """The session's role, empty where nobody can log in or it has none; and the row on it."""
    try:
        with source.use() as session:
            role = str(session.get_current_role() or "").strip('"').upper()
            warehouse = session.sql("SELECT CURRENT_WAREHOUSE()").collect()[0][0]
    except LungregError as error:
        return "", Check.failed(SESSION, error)
    found = f"role {role or 'none'}, warehouse {warehouse or 'none'}"
    if not role:
        return "", Check(name=SESSION, state="fail", found=found, mend=_OF_NO_STEP)
    if warehouse is None:
        mend = f"let role {role} use backend.warehouse, which is {source.settings.warehouse}"
        return role, Check(name=SESSION, state="fail", found=found, mend=mend)
    return role, Check(name=SESSION, state="ok", found=found)
