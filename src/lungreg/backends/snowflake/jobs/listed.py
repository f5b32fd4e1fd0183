"""List the jobs of an account that lungreg has started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lungreg.config import SnowflakeBackend
from lungreg.stores import ListedJob

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_PREFIX = "LUNGREG_"


def listed_jobs(
    session: Session, settings: SnowflakeBackend, status_of: Callable[[str], str]
) -> list[ListedJob]:
    """All jobs of lungreg that the account still lists, batch jobs too, the newest first.

    Args:
        session: Of the account.
        settings: Name the schema of the jobs.
        status_of: Turns a status of Snowflake into one of `lungreg.stores.JobRunner`.
    """
    import pandas as pd
    from snowflake.ml.jobs import list_jobs

    # Without a limit: the client applies it before the jobs are sorted.
    found = list_jobs(
        limit=-1, database=settings.database, schema=settings.utils_schema, session=session
    )
    found["created_time"] = pd.to_datetime(found["created_time"], utc=True, errors="coerce")
    rows: Iterable[Mapping[Any, Any]] = found.to_dict("records")
    ours = [_listed(row, status_of) for row in rows if str(row["name"]).startswith(_PREFIX)]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(ours, key=lambda job: job.created_at or oldest, reverse=True)


def _listed(row: Mapping[Any, Any], status_of: Callable[[str], str]) -> ListedJob:
    return ListedJob(
        job_id=f"{row['database_name']}.{row['schema_name']}.{row['name']}",
        status=status_of(str(row["status"])),
        pool=str(row["compute_pool"]),
        created_at=_time(row["created_time"]),
    )


def _time(value: Any) -> datetime | None:
    """A time of pandas as a datetime; None for its NaT."""
    return None if value != value else value.to_pydatetime()
