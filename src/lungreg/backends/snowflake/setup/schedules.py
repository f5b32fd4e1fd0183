"""What schedules need beside setup: a stage for new scans, a table, and the right to run tasks."""

from __future__ import annotations

from lungreg.backends.snowflake.jobs.schedule_sql import create_schedule_log, schedule_log
from lungreg.backends.snowflake.setup.grants import Grant, grant_on_repository, grants_to_start_jobs
from lungreg.backends.snowflake.setup.objects import create_stage
from lungreg.backends.snowflake.setup.statement import Statement, mark_of
from lungreg.config import SnowflakeBackend

_BY_OTHERS = "by an administrator, where setup may not"


def schedule_setup(settings: SnowflakeBackend) -> list[Statement]:
    """Stage, table and grants; run again they change nothing."""
    comment = f"COMMENT = '{mark_of(settings)}'"
    return [
        Statement(sql=f"{create_stage(settings.incoming)} {comment}"),
        Statement(sql=f"{create_schedule_log(settings)} {comment}"),
        *(Statement(sql=grant.sql) for grant in schedule_grants(settings)),
        *(
            Statement(sql=grant.sql, note=_BY_OTHERS, may_be_left=True)
            for grant in schedule_grants_by_others(settings)
        ),
    ]


def schedule_grants(settings: SnowflakeBackend) -> list[Grant]:
    """What the roles of ingest and infer need to make tasks; and ingest, to run as a job."""
    ingest, infer = settings.roles.ingest, settings.roles.infer
    rights = [
        ("CREATE TASK, CREATE STREAM", "SCHEMA", settings.utils),
        ("SELECT, INSERT", "TABLE", schedule_log(settings)),
    ]
    return [
        *(Grant(*right, role) for role in (ingest, infer) for right in rights),
        Grant("READ, WRITE", "STAGE", settings.incoming, ingest),
        *grants_to_start_jobs(settings, ingest),
    ]


def schedule_grants_by_others(settings: SnowflakeBackend) -> list[Grant]:
    """What only an administrator, or the owner of an integration or repository, grants.

    Snowflake's page "CREATE TASK" asks for EXECUTE MANAGED TASK where a task names no warehouse,
    "Introduction to tasks" for EXECUTE TASK of the role that owns one.
    """
    ingest, infer = settings.roles.ingest, settings.roles.infer
    tasks = "EXECUTE TASK, EXECUTE MANAGED TASK"
    return [
        *(Grant(tasks, "ACCOUNT", "", role) for role in (ingest, infer)),
        *(Grant("USAGE", "INTEGRATION", name, ingest) for name in settings.integrations),
        *(grant_on_repository(name, ingest) for name in settings.artifact_repositories),
    ]
