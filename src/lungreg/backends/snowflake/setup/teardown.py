"""Find the objects in the account that teardown may drop, and those that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.jobs.schedule_sql import schedule_log, schedule_tasks
from lungreg.backends.snowflake.setup.grants import future_grants, step_roles
from lungreg.backends.snowflake.setup.objects import schemas, stages
from lungreg.backends.snowflake.setup.statement import MARK, Ask, Probe, mark_of
from lungreg.backends.snowflake.tables.result_sql import (
    ratings_table,
    result_table,
    result_view,
)
from lungreg.config import SnowflakeBackend
from lungreg.stores import Removal

if TYPE_CHECKING:
    from snowflake.snowpark import Row

_PUBLIC = "PUBLIC"
_ALWAYS_THERE = {_PUBLIC, "INFORMATION_SCHEMA"}
_KINDS = ("TABLES", "VIEWS", "STAGES", "MODELS", "TASKS")
"""Kinds of objects in lungreg's schemas."""
_KINDS_OF_OTHERS = (*_KINDS, "NOTEBOOKS", "SERVICES", "SEQUENCES", "USER FUNCTIONS")
"""Kinds of objects that people make in PUBLIC."""
_SERVICE_NAME = ("database_name", "schema_name", "name")
_OLD_CLAIMS = "CLAIMS"
"""A table of the results schema that the setup of earlier versions made; nothing uses it now."""
_NAMED = 10
"""Names that are shown of a longer list."""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """An object that setup may have made."""

    kind: str
    name: str
    probe: Probe
    statements: tuple[str, ...]


def find_removals(settings: SnowflakeBackend, ask: Ask) -> list[Removal]:
    """The objects that exist, in the order of dropping; those that are kept say why.

    Jobs end before the database that they write to, and an integration goes before its network
    rule in there. Roles come last: only MANAGE GRANTS drops a role that is granted privileges on
    future objects, and those grants end with their schema. Where the schema stays they are revoked.
    All statements may be run again, so that a teardown that broke off is started once more.

    SHOW lists only objects on which the role of setup has a privilege, by itself or by a role that
    it is granted: setup grants it those of the steps.
    """
    database = _database(settings, ask)
    staying = _staying(settings, database)
    return [
        *_found(settings, _on_the_database(settings), ask),
        *database,
        *_found(settings, [_plain("warehouse", settings.warehouse)], ask),
        *_found(settings, [_role(settings, role, staying) for role in step_roles(settings)], ask),
        *_found(settings, [_app_role(settings, staying)], ask),
    ]


def _found(settings: SnowflakeBackend, candidates: Sequence[_Candidate], ask: Ask) -> list[Removal]:
    mark = mark_of(settings)
    judged = [_judged(candidate, mark, ask) for candidate in candidates]
    return [removal for removal in judged if removal is not None]


def _staying(settings: SnowflakeBackend, database: Sequence[Removal]) -> set[str]:
    """The schemas of the configuration that exist and that teardown keeps."""
    kept = {removal.name for removal in database if removal.kind == "schema" and removal.kept}
    return kept & set(schemas(settings))


def _role(settings: SnowflakeBackend, role: str, staying: set[str]) -> _Candidate:
    revoked = [grant for grant in future_grants(settings, role) if grant.name in staying]
    plain = _plain("role", role)
    return replace(plain, statements=(*(grant.revoke_sql for grant in revoked), *plain.statements))


def _app_role(settings: SnowflakeBackend, staying: set[str]) -> _Candidate:
    """The role of the app; where the app's schema stays the app goes first.

    Else whoever drops the role, which is setup, would own the app, which runs with its owner's
    rights.
    """
    plain = _plain("role", settings.roles.app)
    app = f"DROP STREAMLIT IF EXISTS {settings.results}.{settings.app}"
    first = (app,) if settings.results in staying else ()
    return replace(plain, statements=(*first, *plain.statements))


def _on_the_database(settings: SnowflakeBackend) -> list[_Candidate]:
    """What uses the database, and goes before it."""
    pool, egress = settings.compute_pool.name, settings.egress.name
    stop = f"ALTER COMPUTE POOL IF EXISTS {pool} STOP ALL"
    return [
        _Candidate(
            kind="compute pool",
            name=pool,
            probe=Probe(kind="COMPUTE POOLS", name=pool),
            statements=(stop, f"DROP COMPUTE POOL IF EXISTS {pool}"),
        ),
        _Candidate(
            kind="integration",
            name=egress,
            probe=Probe(kind="INTEGRATIONS", name=egress),
            statements=(f"DROP INTEGRATION IF EXISTS {egress}",),
        ),
    ]


def _plain(kind: str, name: str) -> _Candidate:
    return _Candidate(
        kind=kind,
        name=name,
        probe=Probe(kind=f"{kind.upper()}S", name=name),
        statements=(f"DROP {kind.upper()} IF EXISTS {name}",),
    )


def _judged(candidate: _Candidate, mark: str, ask: Ask) -> Removal | None:
    row = _row(ask, candidate.probe)
    if row is None:
        return None
    kind, name = candidate.kind, candidate.name
    if kept := _kept(row, mark):
        return Removal(kind=kind, name=name, kept=kept)
    holds = _services(name, ask) if kind == "compute pool" else ""
    return Removal(kind=kind, name=name, holds=holds, statements=candidate.statements)


def _services(pool: str, ask: Ask) -> str:
    """The services and jobs on a pool, also of others, which end with it."""
    rows = ask(f"SHOW SERVICES IN COMPUTE POOL {pool}")
    names = [".".join(str(row[key]) for key in _SERVICE_NAME) for row in rows]
    return f"services: {_listed(names)}" if names else ""


def _database(settings: SnowflakeBackend, ask: Ask) -> list[Removal]:
    """The database as a whole or, where others use it too, lungreg's schemas in it."""
    name, mark = settings.database, mark_of(settings)
    row = _row(ask, Probe(kind="DATABASES", name=name))
    if row is None:
        return []
    contents = [_schema(settings, full, ask) for full in schemas(settings)]
    ours = [removal for removal in contents if removal is not None]
    kept = _kept(row, mark) or _used_by_others(settings, ask)
    if kept or any(removal.kept for removal in ours):
        kept = kept or "a schema in it is kept"
        return [*ours, Removal(kind="database", name=name, kept=kept)]
    sql = f"DROP DATABASE IF EXISTS {name}"
    holds = "; ".join(f"{removal.name}: {removal.holds}" for removal in ours)
    return [Removal(kind="database", name=name, holds=holds, statements=(sql,))]


def _used_by_others(settings: SnowflakeBackend, ask: Ask) -> str:
    """Why a database that setup made is kept: others use it. Empty where nobody does."""
    name = settings.database
    inside = {str(row["name"]) for row in ask(f"SHOW SCHEMAS IN DATABASE {name}")}
    ours = {full.rpartition(".")[2].upper() for full in schemas(settings)}
    if foreign := sorted(one for one in inside - ours if one.upper() not in _ALWAYS_THERE):
        return f"it holds other schemas: {_listed(foreign)}"
    if _PUBLIC not in inside | ours or _PUBLIC in ours:
        return ""
    found = {kind: _names(ask, kind, f"SCHEMA {name}.{_PUBLIC}") for kind in _KINDS_OF_OTHERS}
    objects = [f"{kind.lower()} {_listed(names)}" for kind, names in found.items() if names]
    return f"its schema PUBLIC holds {', '.join(objects)}" if objects else ""


def _schema(settings: SnowflakeBackend, full: str, ask: Ask) -> Removal | None:
    database, _, name = full.partition(".")
    row = _row(ask, Probe(kind="SCHEMAS", name=name, scope=f"IN DATABASE {database}"))
    if row is None:
        return None
    if kept := _kept(row, mark_of(settings)):
        return Removal(kind="schema", name=full, kept=kept)
    holds = _contents(settings, full, ask)
    sql = f"DROP SCHEMA IF EXISTS {full}"
    return Removal(kind="schema", name=full, holds=holds, statements=(sql,))


def _contents(settings: SnowflakeBackend, schema: str, ask: Ask) -> str:
    """Numbers of a schema's objects, and the names of those that lungreg has not made."""
    found = {kind: _names(ask, kind, f"SCHEMA {schema}") for kind in _KINDS}
    claims = f"{settings.results}.{_OLD_CLAIMS}"
    ours = {claims, result_table(settings), result_view(settings), *stages(settings)}
    ours |= {settings.packages, settings.incoming, schedule_log(settings)}
    ours |= set(schedule_tasks(settings))
    ours.add(ratings_table(settings))
    known = {name.upper() for name in ours}
    others = [
        f"{kind.lower()} {_listed(foreign)}"
        for kind, names in found.items()
        if kind != "MODELS"
        and (foreign := [one for one in names if f"{schema}.{one}".upper() not in known])
    ]
    counts = [f"{kind.lower()}: {len(names)}" for kind, names in found.items()]
    return ", ".join([*counts, *(f"not lungreg's: {other}" for other in others)])


def _names(ask: Ask, kind: str, scope: str) -> list[str]:
    return sorted(str(row["name"]) for row in ask(f"SHOW {kind} IN {scope}"))


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])


def _row(ask: Ask, probe: Probe) -> Row | None:
    return next(iter(probe.found(ask)), None)


def _kept(row: Row, mark: str) -> str:
    """Why an object is kept: its comment is not that of this installation. Else empty."""
    comment = str(row["comment"] or "")
    if comment == mark:
        return ""
    is_made = comment.startswith(MARK)
    return f"setup made it for {comment.removeprefix(MARK)}" if is_made else "setup did not make it"
