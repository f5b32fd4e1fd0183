"""Compare what a role is granted with what setup grants it: one row for each object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from lungreg.backends.snowflake.check.trial import SESSION, Trial
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs.schedule_sql import schedule_log
from lungreg.backends.snowflake.setup.grants import DATABASE_ROLE, Grant
from lungreg.backends.snowflake.setup.schedules import schedule_grants, schedule_grants_by_others
from lungreg.config import SnowflakeBackend
from lungreg.errors import ForbiddenError
from lungreg.records import counted

GRANTS, FUTURE_GRANTS = "grants", "grants to come"
_FUTURE = "FUTURE "
_ALL = "ALL "
_OWNER = "OWNERSHIP"
_PUBLIC = "PUBLIC"
_BY_OTHERS = "by an administrator, or by whoever owns the object"
_DEEPEST = 5
"""Roles of roles that are looked into."""


@dataclass(frozen=True)
class _Held:
    """A privilege that a role has."""

    privilege: str
    kind: str
    """Such as "COMPUTE POOL", or "FUTURE MODEL"."""
    name: str
    """In capitals without quotes; empty for the account, the schema for a future grant."""


class HeldPrivileges:
    """What the account says that a role is granted, also by roles that it is granted."""

    def __init__(self, source: SessionSource, role: str) -> None:
        self._source, self._role = source, role
        self._held: set[_Held] = set()

    def read(self) -> str:
        """Ask for the grants on objects that exist."""
        self._held |= set(self._granted(self._role, _DEEPEST)) | set(self._of_everybody())
        return f"{counted(len(self._held), 'privilege')} of {self._role}"

    def read_future(self) -> str:
        """Ask for the grants on objects that are yet to be made."""
        rows = self._source.run(f"SHOW FUTURE GRANTS TO ROLE {self._role}")
        found = {
            _Held(_upper(row["privilege"]), f"{_FUTURE}{_upper(row['grant_on'])}", _schema(row))
            for row in rows
        }
        self._held |= found
        return f"{counted(len(found), 'privilege')} of {self._role}"

    def lacking(self, grant: Grant) -> list[str]:
        """The privileges of a grant that the role has not."""
        kind, name = _kind_of(grant), grant.name.upper()
        held = {each.privilege for each in self._held if (each.kind, each.name) == (kind, name)}
        wanted = grant.privileges.split(", ")
        return [] if _OWNER in held else [one for one in wanted if one not in held]

    def _of_everybody(self) -> Iterator[_Held]:
        """What PUBLIC is granted, which every role has, such as the shared PyPI repository."""
        with suppress(ForbiddenError):
            yield from self._granted(_PUBLIC, 0)

    def _granted(self, role: str, depth: int) -> Iterator[_Held]:
        for row in self._source.run(f"SHOW GRANTS TO ROLE {role}"):
            kind, privilege = _upper(row["granted_on"]).replace("_", " "), _upper(row["privilege"])
            name = "" if kind == "ACCOUNT" else _plain(row["name"])
            yield _Held(privilege, kind, name)
            if (kind, privilege) == ("ROLE", "USAGE") and depth:
                yield from self._granted(str(row["name"]), depth - 1)


def privilege_trials(source: SessionSource, role: str, grants: Iterable[Grant]) -> list[Trial]:
    """The rows on what a role is granted, an object each.

    Args:
        source: Sessions of the role.
        role: Its name.
        grants: What it needs.
    """
    held = HeldPrivileges(source, role)
    asked = [
        Trial(name=GRANTS, work=held.read, needs=(SESSION,)),
        Trial(name=FUTURE_GRANTS, work=held.read_future, needs=(SESSION,)),
    ]
    # All existing models: each is one object more, and none is there on the first day.
    by_object: dict[str, list[Grant]] = {}
    for grant in grants:
        if not grant.kind.startswith(_ALL):
            by_object.setdefault(_title(grant), []).append(grant)
    work = partial(_compare, source.settings, held)
    objects = [_of_object(name, those, work) for name, those in by_object.items()]
    return [*asked, *objects, *_of_schedules(source.settings, role, held)]


def _of_schedules(settings: SnowflakeBackend, role: str, held: HeldPrivileges) -> list[Trial]:
    """One row on all that schedules take; none for a role that has none."""
    every = (*schedule_grants(settings), *schedule_grants_by_others(settings))
    grants = [grant for grant in every if grant.role.upper() == role.upper()]
    work = partial(_schedules, settings, held, grants)
    return [Trial(name="may: schedules", work=work, needs=(GRANTS,))] if grants else []


def _schedules(settings: SnowflakeBackend, held: HeldPrivileges, grants: list[Grant]) -> str:
    """Whether the role may make schedules, where setup was asked for them.

    Raises:
        ForbiddenError: It was, and the role lacks a privilege.
    """
    log = schedule_log(settings)
    if all(held.lacking(grant) for grant in grants if grant.name == log):
        return "not set up: lungreg setup --schedules makes what they take"
    _compare(settings, held, grants, part=" --schedules")
    return "tasks, streams and jobs"


def _of_object(name: str, grants: list[Grant], compare: Callable[[list[Grant]], str]) -> Trial:
    is_future = grants[0].kind.startswith(_FUTURE)
    return Trial(
        name=name,
        work=partial(compare, grants),
        needs=(FUTURE_GRANTS if is_future else GRANTS,),
        is_needed=not grants[0].only_for,
    )


def _compare(
    settings: SnowflakeBackend, held: HeldPrivileges, grants: list[Grant], part: str = ""
) -> str:
    """The privileges on one object, or for one part of setup, such as " --schedules".

    Raises:
        ForbiddenError: The role lacks some, and the mend is the statement that grants them.
    """
    lacking = [(grant, names) for grant in grants if (names := held.lacking(grant))]
    if not lacking:
        return ", ".join(grant.privileges for grant in grants)
    missing = [Grant(", ".join(names), g.kind, g.name, g.role) for g, names in lacking]
    told = ", ".join(grant.privileges for grant in missing)
    only = f", for {grants[0].only_for} alone" if grants[0].only_for else ""
    msg = f"{grants[0].role} is granted {told}{only}"
    of_setup = all(_is_of_setup(settings, grant) for grant, _ in lacking)
    by_whom = f"or run 'lungreg setup{part} --execute'" if of_setup else _BY_OTHERS
    mend = f"{'; '.join(grant.sql for grant in missing)}; {by_whom}"
    raise ForbiddenError(msg, got="no such grant", mend=mend)


def _is_of_setup(settings: SnowflakeBackend, grant: Grant) -> bool:
    """Whether setup makes a grant by itself; the account has no name."""
    of_others = (*settings.integrations, *settings.artifact_repositories, "")
    return not (grant.only_for or grant.name in of_others or grant.kind == DATABASE_ROLE)


def _title(grant: Grant) -> str:
    """The name of an object's row, such as "may: schema UTILS"."""
    short = grant.name.rpartition(".")[2]
    if grant.kind.startswith(_FUTURE):
        return f"may: models in {short}"
    return f"may: {grant.kind.lower()} {short}".rstrip()


def _kind_of(grant: Grant) -> str:
    """A grant's kind as the rows of SHOW have it: FUTURE MODEL of FUTURE MODELS IN SCHEMA."""
    if grant.kind.startswith(_FUTURE):
        return grant.kind.removesuffix(" IN SCHEMA").removesuffix("S")
    return grant.kind


def _schema(row: object) -> str:
    """The schema of a future grant, whose name reads DATABASE.SCHEMA.<MODEL>."""
    return _plain(row["name"]).rpartition(".")[0]  # type: ignore[index]


def _plain(name: object) -> str:
    return str(name).replace('"', "").upper()


def _upper(text: object) -> str:
    return str(text).upper()
