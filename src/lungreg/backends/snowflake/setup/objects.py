"""The SQL of the objects that setup makes, each with IF NOT EXISTS."""

from __future__ import annotations

from lungreg.backends.snowflake.setup.egress import egress_statements
from lungreg.backends.snowflake.setup.families import AUTO, CHOSEN
from lungreg.backends.snowflake.setup.statement import Statement, mark_of
from lungreg.config import SnowflakeBackend


def object_statements(settings: SnowflakeBackend) -> list[Statement]:
    """Warehouse, database, schemas, stages, compute pool, network rule and integration."""
    made = [
        _warehouse(settings),
        f"CREATE DATABASE IF NOT EXISTS {settings.database}",
        *(_schema(schema) for schema in schemas(settings)),
        *(create_stage(stage) for stage in stages(settings)),
    ]
    comment = f"COMMENT = '{mark_of(settings)}'"
    marked = [Statement(sql=f"{sql} {comment}") for sql in made]
    return [*marked, _compute_pool(settings, comment), *egress_statements(settings)]


def schemas(settings: SnowflakeBackend) -> tuple[str, str]:
    """Full names of the schemas: scans, jobs and models; runs and rows."""
    return settings.utils, settings.results


def stages(settings: SnowflakeBackend) -> tuple[str, str, str]:
    """Full names of the stages: scans, jobs, runs."""
    return settings.images, settings.jobs, settings.runs


def create_stage(name: str) -> str:
    """The SQL of a stage that the server encrypts.

    Jobs, notebooks and batch inference read the files without our driver.
    """
    return (
        f"CREATE STAGE IF NOT EXISTS {name} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') "
        "DIRECTORY = (ENABLE = TRUE)"
    )


def _warehouse(settings: SnowflakeBackend) -> str:
    return (
        f"CREATE WAREHOUSE IF NOT EXISTS {settings.warehouse} WAREHOUSE_SIZE = XSMALL "
        "AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE"
    )


def _schema(name: str) -> str:
    # In a managed schema only its owner grants, also on future objects such as models.
    return f"CREATE SCHEMA IF NOT EXISTS {name} WITH MANAGED ACCESS"


def _compute_pool(settings: SnowflakeBackend, comment: str) -> Statement:
    """Of the family of AWS, with a note on the others, where nobody was asked for the region."""
    pool = settings.compute_pool
    is_open = pool.family.upper() == AUTO
    family = CHOSEN["AWS"] if is_open else pool.family
    others = f"{CHOSEN['AZURE']} on Azure, {CHOSEN['GCP']} on Google Cloud"
    note = f"INSTANCE_FAMILY is {others}: setup --execute chooses by the region" if is_open else ""
    return Statement(
        sql=f"CREATE COMPUTE POOL IF NOT EXISTS {pool.name} MIN_NODES = {pool.min_nodes} "
        f"MAX_NODES = {pool.max_nodes} INSTANCE_FAMILY = {family} AUTO_RESUME = TRUE "
        f"INITIALLY_SUSPENDED = TRUE AUTO_SUSPEND_SECS = {pool.auto_suspend_secs} {comment}",
        note=note,
    )
