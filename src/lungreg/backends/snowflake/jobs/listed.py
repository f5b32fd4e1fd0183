"""List the jobs of an account that lungreg has started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lungreg.backends.snowflake.connection.faults import number_of
from lungreg.config import SnowflakeBackend
from lungreg.stores import ListedJob

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_PREFIX = "LUNGREG_"
_HISTORY = """\
SELECT name AS "name", status AS "status", database_name AS "database_name",
  schema_name AS "schema_name", compute_pool_name AS "compute_pool",
  created_time AS "created_time"
FROM TABLE(SNOWFLAKE.SPCS.GET_JOB_HISTORY(RESULT_LIMIT => 10000))
WHERE database_name = ? AND schema_name = ? AND name LIKE ? AND deleted_time IS NULL"""
"""The client's own question, but with the largest limit there is: without one, Snowflake gives the
latest 100 jobs of the whole account that the role owns."""
_NO_HISTORY = 2143
"""Snowflake's error where an account has no such function."""


def listed_jobs(
    session: Session, settings: SnowflakeBackend, status_of: Callable[[str], str]
) -> list[ListedJob]:
    """All jobs of lungreg that the account still lists, batch jobs too, the newest first.

    Args:
        session: Of the account.
        settings: Name the schema of the jobs.
        status_of: Turns a status of Snowflake into one of `lungreg.stores.JobRunner`.
    """
    binds = [settings.database.upper(), settings.utils_schema.upper(), f"{_PREFIX}%"]
    try:
        rows = [row.as_dict() for row in session.sql(_HISTORY, params=binds).collect()]
    except Exception as error:
        if number_of(error) != _NO_HISTORY:
            raise
        rows = _services(session, settings)
    ours = [_listed(row, status_of) for row in rows if str(row["name"]).startswith(_PREFIX)]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(ours, key=lambda job: job.created_at or oldest, reverse=True)


def _services(session: Session, settings: SnowflakeBackend) -> list[dict[Any, Any]]:
    """The jobs as Snowflake's client lists them, for an account without a history of jobs."""
    from snowflake.ml.jobs import list_jobs

    # Without a limit: the client applies it before the jobs are sorted.
    found = list_jobs(
        limit=-1, database=settings.database, schema=settings.utils_schema, session=session
    )
    return list(found.to_dict("records"))


def _listed(row: Mapping[Any, Any], status_of: Callable[[str], str]) -> ListedJob:
    return ListedJob(
        job_id=f"{row['database_name']}.{row['schema_name']}.{row['name']}",
        status=status_of(str(row["status"])),
        pool=str(row["compute_pool"]),
        created_at=_time(row["created_time"]),
    )


def _time(value: Any) -> datetime | None:
    """A time in UTC; None where there is none."""
    import pandas as pd

    found = pd.to_datetime(value, utc=True, errors="coerce")
    return None if pd.isna(found) else found.to_pydatetime()
