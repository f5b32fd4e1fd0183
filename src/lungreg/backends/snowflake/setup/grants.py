"""What each role is granted: the privileges of its step and no more."""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.backends.snowflake.setup.objects import stages
from lungreg.backends.snowflake.setup.statement import Statement, mark_of
from lungreg.backends.snowflake.tables.result_sql import result_table, result_view
from lungreg.config import SnowflakeBackend

RUN_BATCH = "run-batch"
"""What needs the grants that `infer --engine ray` and `submit infer` do without."""
DATABASE_ROLE = "DATABASE ROLE"
"""Kind of an object that is granted as a whole; SHOW GRANTS has it with USAGE."""
_SHARED_PYPI = "SNOWFLAKE.SNOWPARK.PYPI_SHARED_REPOSITORY"
_MAY_USE_PYPI = "SNOWFLAKE.PYPI_REPOSITORY_USER"
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
    """Full name of the object; empty for the account."""
    role: str
    only_for: str = ""
    """What alone needs it, such as "run-batch"; empty where the role's step needs it."""

    @property
    def sql(self) -> str:
        """The GRANT statement."""
        if self.kind == DATABASE_ROLE:
            return f"GRANT {self.object} TO ROLE {self.role}"
        return f"GRANT {self.privileges} ON {self.object} TO ROLE {self.role}"

    @property
    def revoke_sql(self) -> str:
        """The REVOKE statement, which changes nothing when it is run again."""
        return f"REVOKE {self.privileges} ON {self.object} FROM ROLE {self.role}"

    @property
    def object(self) -> str:
        """Kind and name of the object, as statements have them."""
        return f"{self.kind} {self.name}".rstrip()


def role_statements(settings: SnowflakeBackend) -> list[Statement]:
    """The roles of the steps, then what each is granted."""
    comment = f"COMMENT = '{mark_of(settings)}'"
    made = [f"CREATE ROLE IF NOT EXISTS {role} {comment}" for role in step_roles(settings)]
    granted = [grant.sql for grant in _grants(settings)]
    return [
        *(Statement(sql=sql) for sql in made),
        *(given_to_setup(settings, role) for role in step_roles(settings)),
        *(Statement(sql=sql) for sql in granted),
    ]


def given_to_setup(settings: SnowflakeBackend, role: str) -> Statement:
    """Let the role of setup have all that a role of its own has.

    SHOW hides from a schema's owner what other roles have made in it: without this a teardown would
    drop models, tasks and jobs that it does not list.
    """
    return Statement(
        sql=f"GRANT ROLE {role} TO ROLE {settings.roles.setup}",
        note=f"where {role} is another role's own, by that one: else teardown lists less",
        may_be_left=True,
    )


def step_roles(settings: SnowflakeBackend) -> tuple[str, str, str, str]:
    """The roles that setup makes."""
    roles = settings.roles
    return roles.ingest, roles.train, roles.infer, roles.read


def future_grants(settings: SnowflakeBackend, role: str) -> list[Grant]:
    """What a role is granted on objects to come; a role with such grants cannot be dropped."""
    granted = [grant for grant in _grants(settings) if grant.role == role]
    return [grant for grant in granted if grant.kind.startswith("FUTURE ")]


def grants_of(settings: SnowflakeBackend, role: str) -> list[Grant]:
    """All that a role needs, by setup or by others; none for a role that is of no step.

    Args:
        settings: Name the roles and the objects.
        role: In any case.
    """
    every = (*_grants(settings), *grants_by_others(settings))
    return [grant for grant in every if grant.role.upper() == role.upper()]


def grants_by_others(settings: SnowflakeBackend) -> list[Grant]:
    """Grants on the account, and on objects of the configuration that setup does not make.

    Setup may make them only where its role owns the object, or may pass the privilege on.
    """
    train, infer = settings.roles.train, settings.roles.infer
    on_integrations = [
        Grant("USAGE", "INTEGRATION", name, role)
        for name in settings.integrations
        for role in (train, infer)
    ]
    on_repositories = [
        grant_on_repository(name, role)
        for name in settings.artifact_repositories
        for role in (train, infer)
    ]
    return [*on_integrations, *on_repositories, *_for_run_batch(settings)]


def grant_on_repository(name: str, role: str) -> Grant:
    """What a role needs to install from an artifact repository.

    As Snowflake's page "Snowflake ML Jobs" has it: USAGE on one of the account's own; for the
    shared PyPI a database role, which PUBLIC has unless it was revoked (behaviour change 2280).
    """
    if name.upper() == _SHARED_PYPI:
        return Grant("USAGE", DATABASE_ROLE, _MAY_USE_PYPI, role)
    return Grant("USAGE", "ARTIFACT REPOSITORY", name, role)


def _for_run_batch(settings: SnowflakeBackend) -> list[Grant]:
    """What Snowflake's batch inference needs beside the infer role's own privileges."""
    infer, repository = settings.roles.infer, settings.batch.image_repository
    bind = Grant("BIND SERVICE ENDPOINT", "ACCOUNT", "", infer, RUN_BATCH)
    if repository is None:
        return [bind]
    # The role reads and writes it, and so does the service that builds the image for it.
    both = ("READ, WRITE", "SERVICE READ, SERVICE WRITE")
    on_it = [Grant(each, "IMAGE REPOSITORY", repository, infer, RUN_BATCH) for each in both]
    return [bind, *on_it]


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
    return [
        *_inside(settings, settings.utils, settings.results),
        ("READ", "STAGE", settings.images),
        ("READ, WRITE", "STAGE", settings.runs),
        *_starting(settings),
    ]


def grants_to_start_jobs(settings: SnowflakeBackend, role: str) -> list[Grant]:
    """What a role needs to start jobs, beside what they read and write."""
    return [Grant(*right, role) for right in _starting(settings)]


def _starting(settings: SnowflakeBackend) -> list[_Right]:
    egress = settings.egress
    return [
        ("READ, WRITE", "STAGE", settings.jobs),
        ("CREATE SERVICE", "SCHEMA", settings.utils),
        ("USAGE, MONITOR", "COMPUTE POOL", settings.compute_pool.name),
        *([("USAGE", "INTEGRATION", egress.name)] if egress.hosts else []),
    ]
