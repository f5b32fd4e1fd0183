"""What setup makes: each object with IF NOT EXISTS, or asked for first."""

from __future__ import annotations

from lungreg.backends.snowflake.setup.statement import MARK, Probe, Statement
from lungreg.config import SnowflakeBackend


def object_statements(settings: SnowflakeBackend) -> list[Statement]:
    """Warehouse, database, schemas, stages, compute pool and what jobs may reach, in order."""
    return [
        Statement(sql=_warehouse(settings)),
        Statement(sql=_with_mark(f"CREATE DATABASE IF NOT EXISTS {settings.database}")),
        *(Statement(sql=_schema(schema)) for schema in schemas(settings)),
        *(Statement(sql=_stage(stage)) for stage in stages(settings)),
        Statement(sql=_compute_pool(settings)),
        *egress_statements(settings),
    ]


def schemas(settings: SnowflakeBackend) -> tuple[str, str]:
    """Full names of the schemas: scans, jobs and models; runs and rows."""
    return (
        f"{settings.database}.{settings.utils_schema}",
        f"{settings.database}.{settings.results_schema}",
    )


def stages(settings: SnowflakeBackend) -> tuple[str, str, str]:
    """Full names of the stages: scans, jobs, runs."""
    utils, results = schemas(settings)
    return (
        f"{utils}.{settings.image_stage}",
        f"{utils}.{settings.job_stage}",
        f"{results}.{settings.run_stage}",
    )


def egress_statements(settings: SnowflakeBackend) -> list[Statement]:
    """A rule of the hosts in the config and its integration; nothing without hosts."""
    egress = settings.egress
    if not egress.hosts:
        return []
    schema = schemas(settings)[0]
    hosts = ", ".join(f"'{host}'" for host in egress.hosts)
    rule = (
        f"CREATE NETWORK RULE {schema}.{egress.name} "
        f"TYPE = HOST_PORT MODE = EGRESS VALUE_LIST = ({hosts})"
    )
    integration = (
        f"CREATE EXTERNAL ACCESS INTEGRATION {egress.name} "
        f"ALLOWED_NETWORK_RULES = ({schema}.{egress.name}) ENABLED = TRUE"
    )
    asked = Probe(kind="NETWORK RULES", name=egress.name, scope=f"IN SCHEMA {schema}")
    return [
        Statement(sql=_with_mark(rule), unless=asked),
        Statement(sql=_with_mark(integration), unless=Probe(kind="INTEGRATIONS", name=egress.name)),
    ]


def _warehouse(settings: SnowflakeBackend) -> str:
    return _with_mark(
        f"CREATE WAREHOUSE IF NOT EXISTS {settings.warehouse} WAREHOUSE_SIZE = XSMALL "
        "AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE"
    )


def _schema(name: str) -> str:
    # In a managed schema its owner alone grants, on what will come too: on models, for one.
    return _with_mark(f"CREATE SCHEMA IF NOT EXISTS {name} WITH MANAGED ACCESS")


def _stage(name: str) -> str:
    # Encrypted by the server: jobs and batch inference read the files without our driver.
    return _with_mark(
        f"CREATE STAGE IF NOT EXISTS {name} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') "
        "DIRECTORY = (ENABLE = TRUE)"
    )


def _compute_pool(settings: SnowflakeBackend) -> str:
    pool = settings.compute_pool
    return _with_mark(
        f"CREATE COMPUTE POOL IF NOT EXISTS {pool.name} MIN_NODES = {pool.min_nodes} "
        f"MAX_NODES = {pool.max_nodes} INSTANCE_FAMILY = {pool.family} AUTO_RESUME = TRUE "
        f"INITIALLY_SUSPENDED = TRUE AUTO_SUSPEND_SECS = {pool.auto_suspend_secs}"
    )


def _with_mark(sql: str) -> str:
    return f"{sql} COMMENT = '{MARK}'"
