"""What teardown finds in the account, and which of it is lungreg's to drop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.setup.grants import step_roles
from lungreg.backends.snowflake.setup.objects import schemas
from lungreg.backends.snowflake.setup.statement import MARK, Probe
from lungreg.config import SnowflakeBackend
from lungreg.stores import Removal

if TYPE_CHECKING:
    from snowflake.snowpark import Row

Ask = Callable[[str], Sequence["Row"]]
"""Runs a SHOW statement."""
_ALWAYS_THERE = {"PUBLIC", "INFORMATION_SCHEMA"}


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """An object that setup may have made."""

    kind: str
    name: str
    probe: Probe
    statements: tuple[str, ...]


def find_removals(settings: SnowflakeBackend, ask: Ask) -> list[Removal]:
    """What is there, in the order of dropping; what must be kept says why."""
    found = [_judged(candidate, ask) for candidate in _candidates(settings)]
    return [
        *(removal for removal in found if removal is not None),
        *_database(settings, ask),
    ]


def _candidates(settings: SnowflakeBackend) -> list[_Candidate]:
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
        *(_plain("role", role) for role in step_roles(settings)),
        _plain("warehouse", settings.warehouse),
    ]


def _plain(kind: str, name: str) -> _Candidate:
    return _Candidate(
        kind=kind,
        name=name,
        probe=Probe(kind=f"{kind.upper()}S", name=name),
        statements=(f"DROP {kind.upper()} IF EXISTS {name}",),
    )


def _judged(candidate: _Candidate, ask: Ask) -> Removal | None:
    row = _row(ask, candidate.probe)
    if row is None:
        return None
    if not _is_marked(row):
        return Removal(kind=candidate.kind, name=candidate.name, kept="setup did not make it")
    return Removal(kind=candidate.kind, name=candidate.name, statements=candidate.statements)


def _database(settings: SnowflakeBackend, ask: Ask) -> list[Removal]:
    """The database as a whole, or where others use it too, our schemas in it."""
    name = settings.database
    row = _row(ask, Probe(kind="DATABASES", name=name))
    if row is None:
        return []
    inside = {str(schema["name"]) for schema in ask(f"SHOW SCHEMAS IN DATABASE {name}")}
    ours = {full.rpartition(".")[2].upper() for full in schemas(settings)}
    foreign = sorted(one for one in inside - ours if one.upper() not in _ALWAYS_THERE)
    if _is_marked(row) and not foreign:
        sql = f"DROP DATABASE IF EXISTS {name}"
        holds = _contents(ask, f"DATABASE {name}")
        return [Removal(kind="database", name=name, holds=holds, statements=(sql,))]
    kept = f"it holds other schemas: {', '.join(foreign)}" if foreign else "setup did not make it"
    found = [_schema(full, ask) for full in schemas(settings)]
    return [
        *(removal for removal in found if removal is not None),
        Removal(kind="database", name=name, kept=kept),
    ]


def _schema(full: str, ask: Ask) -> Removal | None:
    database, _, name = full.partition(".")
    row = _row(ask, Probe(kind="SCHEMAS", name=name, scope=f"IN DATABASE {database}"))
    if row is None:
        return None
    if not _is_marked(row):
        return Removal(kind="schema", name=full, kept="setup did not make it")
    holds = _contents(ask, f"SCHEMA {full}")
    sql = f"DROP SCHEMA IF EXISTS {full}"
    return Removal(kind="schema", name=full, holds=holds, statements=(sql,))


def _contents(ask: Ask, scope: str) -> str:
    kinds = ("TABLES", "STAGES", "MODELS")
    counts = {kind: len(ask(f"SHOW {kind} IN {scope}")) for kind in kinds}
    return ", ".join(f"{kind.lower()}: {count}" for kind, count in counts.items())


def _row(ask: Ask, probe: Probe) -> Row | None:
    named = [row for row in ask(probe.sql) if str(row["name"]).upper() == probe.name.upper()]
    return named[0] if named else None


def _is_marked(row: Row) -> bool:
    return str(row["comment"] or "") == MARK
