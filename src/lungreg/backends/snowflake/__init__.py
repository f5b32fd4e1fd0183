"""The Snowflake backend: internal stages, a table, the Model Registry, jobs on compute pools."""

from __future__ import annotations

from functools import partial

from lungreg.backends.snowflake.billing import PoolBilling
from lungreg.backends.snowflake.connection.runtime import join_runtime_cluster
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.examiner import SnowflakeExaminer
from lungreg.backends.snowflake.files.directory import refresh_after_writes
from lungreg.backends.snowflake.files.incoming import IncomingStage
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.jobs.runner import SnowflakeJobs
from lungreg.backends.snowflake.jobs.schedules import SnowflakeSchedules
from lungreg.backends.snowflake.models import SnowflakeModelRegistry
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.tables.results import SnowflakeResultTable
from lungreg.backends.snowflake.tracker import SnowflakeTracker
from lungreg.config import SnowflakeBackend
from lungreg.stores import Backend
from lungreg.stores.tracker import NullTracker

__all__ = ["SessionSource", "SnowflakeStage", "open_snowflake"]


def open_snowflake(
    settings: SnowflakeBackend, run_id: str | None = None, step: str | None = None
) -> Backend:
    """The stores of an account; no session is opened yet.

    Inside Container Runtime, Ray is set to join the cluster that runs already.

    Args:
        settings: Which account and objects.
        run_id: The run in the tag of all statements.
        step: The step in the tag of all statements, such as "infer".
    """
    join_runtime_cluster()
    source = SessionSource(settings, run_id=run_id, step=step)
    return Backend(
        stage=SnowflakeStage(source),
        results=SnowflakeResultTable(source),
        models=SnowflakeModelRegistry(source),
        tracker=SnowflakeTracker(source) if settings.tracking else NullTracker(),
        incoming=IncomingStage(source),
        jobs=SnowflakeJobs(source),
        schedules=SnowflakeSchedules(source),
        billing=PoolBilling(settings),
        provisioner=SnowflakeProvisioner(source),
        examiner=SnowflakeExaminer(source),
        refresh=partial(refresh_after_writes, source),
        label=partial(open_snowflake, settings),
    )
