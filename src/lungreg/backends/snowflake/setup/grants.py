"""What each role is granted: the privileges of its step and no more."""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.backends.snowflake.setup.objects import stages
from lungreg.backends.snowflake.setup.statement import Statement, mark_of
from lungreg.backends.snowflake.tables.result_sql import result_table, result_view
from lungreg.config import SnowflakeBackend

_Right = tuple[str, str, str]
"""Privileges, kind and name of a `Grant`."""


@dataclass(frozen=True)
class Grant:
    """Privileges of one role on one object, or on the models of a schema."""

    privileges: str
    """Privileges, separated by commas."""
    kind: str
    """Kind of the object: "STAGE", or "ALL MODELS IN SCHEMA"."""
    name: str
    """Full name of the object."""
    role: str

    @property
    def sql(self) -> str:
        """The GRANT statement."""
        return f"GRANT {self.privileges} ON {self.kind} {self.name} TO ROLE {self.role}"

    @property
    def revoke_sql(self) -> str:
        """The REVOKE statement, which changes nothing when it is run again."""
        return f"REVOKE {self.privileges} ON {self.kind} {self.name} FROM ROLE {self.role}"


def role_statements(settings: SnowflakeBackend) -> list[Statement]:
    """The roles of the steps, then what each is granted."""
    comment = f"COMMENT = '{mark_of(settings)}'"
    made = [f"CREATE ROLE IF NOT EXISTS {role} {comment}" for role in step_roles(settings)]
    granted = [grant.sql for grant in _grants(settings)]
    return [Statement(sql=sql) for sql in (*made, *granted)]


def step_roles(settings: SnowflakeBackend) -> tuple[str, str, str, str]:
    """The roles that setup makes."""
    roles = settings.roles
    return roles.ingest, roles.train, roles.infer, roles.read


def future_grants(settings: SnowflakeBackend, role: str) -> list[Grant]:
    """What a role is granted on objects to come; a role with such grants cannot be dropped."""
    granted = [grant for grant in _grants(settings) if grant.role == role]
    return [grant for grant in granted if grant.kind.startswith("FUTURE ")]


def stages_of_roles(settings: SnowflakeBackend) -> dict[str, frozenset[str]]:
    """By the name of a role, in capitals, the stages that it has a privilege on, as full names.

    SHOW lists these to it and no others. The role of setup owns all.
    """
    granted = [grant for grant in _grants(settings) if grant.kind == "STAGE"]
    return {
        settings.roles.setup.upper(): frozenset(stages(settings)),
        **{
            role.upper(): frozenset(grant.name for grant in granted if grant.role == role)
            for role in step_roles(settings)
        },
    }


def _grants(settings: SnowflakeBackend) -> list[Grant]:
    roles = settings.roles
    rights = {
        roles.ingest: _ingest(settings),
        roles.train: _train(settings),
        roles.infer: _infer(settings),
        roles.read: _read(settings),
    }
    return [Grant(*right, role) for role, granted in rights.items() for right in granted]


def _ingest(settings: SnowflakeBackend) -> list[_Right]:
    return [
        *_inside(settings, settings.utils, settings.results),
        ("READ, WRITE", "STAGE", settings.images),
    ]


def _train(settings: SnowflakeBackend) -> list[_Right]:
    return [
        *_running(settings),
        ("CREATE MODEL", "SCHEMA", settings.utils),
        # A version's files pass through a temporary stage that Snowflake's client makes.
        ("CREATE STAGE", "SCHEMA", settings.utils),
        ("CREATE EXPERIMENT", "SCHEMA", settings.utils),
    ]


def _infer(settings: SnowflakeBackend) -> list[_Right]:
    return [
        *_running(settings),
        ("SELECT, INSERT, UPDATE", "TABLE", result_table(settings)),
        ("SELECT", "VIEW", result_view(settings)),
        # READ shows a model's files, USAGE lets a batch job run it.
        ("READ", "ALL MODELS IN SCHEMA", settings.utils),
        ("USAGE", "ALL MODELS IN SCHEMA", settings.utils),
        ("READ", "FUTURE MODELS IN SCHEMA", settings.utils),
        ("USAGE", "FUTURE MODELS IN SCHEMA", settings.utils),
    ]


def _read(settings: SnowflakeBackend) -> list[_Right]:
    return [
        *_inside(settings, settings.results),
        ("READ", "STAGE", settings.runs),
        ("SELECT", "TABLE", result_table(settings)),
        ("SELECT", "VIEW", result_view(settings)),
    ]


def _inside(settings: SnowflakeBackend, *names: str) -> list[_Right]:
    """To run SQL and to see these schemas."""
    return [
        ("USAGE", "WAREHOUSE", settings.warehouse),
        ("USAGE", "DATABASE", settings.database),
        *(("USAGE", "SCHEMA", name) for name in names),
    ]


def _running(settings: SnowflakeBackend) -> list[_Right]:
    """To read scans, write a run, and start jobs of it."""
    egress = settings.egress
    return [
        *_inside(settings, settings.utils, settings.results),
        ("READ", "STAGE", settings.images),
        ("READ, WRITE", "STAGE", settings.runs),
        ("READ, WRITE", "STAGE", settings.jobs),
        ("CREATE SERVICE", "SCHEMA", settings.utils),
        ("USAGE, MONITOR", "COMPUTE POOL", settings.compute_pool.name),
        *([("USAGE", "INTEGRATION", egress.name)] if egress.hosts else []),
    ]
