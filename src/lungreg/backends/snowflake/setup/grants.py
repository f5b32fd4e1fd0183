"""Who may do what: each role has the privileges of its step and no more."""

from __future__ import annotations

from collections.abc import Iterable

from lungreg.backends.snowflake.setup.objects import stages
from lungreg.backends.snowflake.setup.statement import Statement, mark_of
from lungreg.backends.snowflake.tables.result_sql import result_table, result_view
from lungreg.config import SnowflakeBackend


def role_statements(settings: SnowflakeBackend) -> list[Statement]:
    """The roles of the steps, then what each is granted."""
    roles = settings.roles
    comment = f"COMMENT = '{mark_of(settings)}'"
    made = [f"CREATE ROLE IF NOT EXISTS {role} {comment}" for role in step_roles(settings)]
    granted = (
        *_grants(roles.ingest, _ingest(settings)),
        *_grants(roles.train, _train(settings)),
        *_grants(roles.infer, _infer(settings)),
        *_grants(roles.read, _read(settings)),
    )
    return [Statement(sql=sql) for sql in (*made, *granted)]


def step_roles(settings: SnowflakeBackend) -> tuple[str, str, str, str]:
    """The roles that setup makes."""
    roles = settings.roles
    return roles.ingest, roles.train, roles.infer, roles.read


def stages_of_roles(settings: SnowflakeBackend) -> dict[str, frozenset[str]]:
    """By the name of a role, in capitals, the stages that it has a privilege on, as full names.

    SHOW lists these to it and no others. The role of setup owns all.
    """
    made = stages(settings)
    held = {settings.roles.setup.upper(): frozenset(made)}
    granted = [statement.sql for statement in role_statements(settings)]
    for role in step_roles(settings):
        mine = [sql for sql in granted if sql.endswith(f" TO ROLE {role}")]
        held[role.upper()] = frozenset(
            stage for stage in made if any(f" ON STAGE {stage} " in sql for sql in mine)
        )
    return held


def _grants(role: str, privileges: Iterable[str]) -> list[str]:
    return [f"GRANT {privilege} TO ROLE {role}" for privilege in privileges]


def _ingest(settings: SnowflakeBackend) -> list[str]:
    return [
        *_inside(settings, settings.utils, settings.results),
        *_files(settings.images),
    ]


def _train(settings: SnowflakeBackend) -> list[str]:
    return [
        *_running(settings),
        f"CREATE MODEL ON SCHEMA {settings.utils}",
        f"CREATE EXPERIMENT ON SCHEMA {settings.utils}",
    ]


def _infer(settings: SnowflakeBackend) -> list[str]:
    return [
        *_running(settings),
        f"SELECT, INSERT, UPDATE ON TABLE {result_table(settings)}",
        f"SELECT ON VIEW {result_view(settings)}",
        # READ shows a model's files, USAGE lets a batch job run it.
        f"READ ON ALL MODELS IN SCHEMA {settings.utils}",
        f"USAGE ON ALL MODELS IN SCHEMA {settings.utils}",
        f"READ ON FUTURE MODELS IN SCHEMA {settings.utils}",
        f"USAGE ON FUTURE MODELS IN SCHEMA {settings.utils}",
    ]


def _read(settings: SnowflakeBackend) -> list[str]:
    return [
        *_inside(settings, settings.results),
        f"READ ON STAGE {settings.runs}",
        f"SELECT ON TABLE {result_table(settings)}",
        f"SELECT ON VIEW {result_view(settings)}",
    ]


def _inside(settings: SnowflakeBackend, *names: str) -> list[str]:
    """To run SQL and to see these schemas."""
    return [
        f"USAGE ON WAREHOUSE {settings.warehouse}",
        f"USAGE ON DATABASE {settings.database}",
        *(f"USAGE ON SCHEMA {name}" for name in names),
    ]


def _running(settings: SnowflakeBackend) -> list[str]:
    """To read scans, write a run, and start jobs of it."""
    egress = settings.egress
    return [
        *_inside(settings, settings.utils, settings.results),
        f"READ ON STAGE {settings.images}",
        *_files(settings.runs),
        *_files(settings.jobs),
        f"CREATE SERVICE ON SCHEMA {settings.utils}",
        f"USAGE, MONITOR ON COMPUTE POOL {settings.compute_pool.name}",
        *([f"USAGE ON INTEGRATION {egress.name}"] if egress.hosts else []),
    ]


def _files(stage: str) -> list[str]:
    return [f"READ, WRITE ON STAGE {stage}"]
