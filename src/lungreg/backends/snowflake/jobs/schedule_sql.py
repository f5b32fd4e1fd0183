"""The SQL of schedules: a stream, tasks that look whether there is work, a task with the job.

As Snowflake's pages "CREATE TASK", "CREATE STREAM", "Running a Snowpark Container Services job as a
Snowflake task" and "Snowflake ML Jobs" have it:

- A task is made suspended. Its WHEN is looked at in the cloud services layer, without compute, for
  a nominal charge; where it is false nothing runs.
- A stream on a stage's directory has data once the directory was refreshed after files came. A
  directory of an internal stage is not refreshed by itself: AUTO_REFRESH is off unless asked for,
  and exists on AWS alone. What lungreg writes it refreshes; where others bring the files, the first
  task refreshes, and the one that looks follows it. Where its WHEN is false none follows.
- Only a statement that writes from the stream takes files off: a job could not. So the task that
  looks writes their number into a table, and the job's task follows it. What comes while the job
  runs waits for the next.
- All tasks are serverless, as Snowflake has it for tasks that wait for a job: they need EXECUTE
  MANAGED TASK beside EXECUTE TASK. A warehouse would be awake as long as the job runs.
- The job is the statement that `MLJobDefinition.to_sql` of the client gives, which Snowflake's own
  tasks of Python run; it is a preview, and a user's role may run it from a task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lungreg.backends.snowflake.setup.statement import mark_of
from lungreg.config import SnowflakeBackend
from lungreg.errors import ConfigError

_FIELD = r"[0-9A-Za-z*/,#-]+"
_CRON = re.compile(rf"USING CRON {_FIELD}( {_FIELD}){{4}} [A-Za-z]+([_/+-][A-Za-z0-9]+)*")
_DAY_MS = 86_400_000
"""A job is given up after a day: without a limit of its own a task's is an hour."""
_RETRIES = 2
"""Of a job that fails, in the same night."""
SERVERLESS = "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE = 'XSMALL'"
NAMES = {"ingest": "LUNGREG_INGEST_NEW", "infer": "LUNGREG_INFER_NEW"}
"""Name of a schedule by its command."""
_LOG = "SCHEDULED_FILES"


@dataclass(frozen=True)
class ScheduleNames:
    """Full names of the objects of one schedule."""

    settings: SnowflakeBackend
    command: str

    @property
    def task(self) -> str:
        """The task with the times, the first one; by its last part the schedule is named."""
        return f"{self.settings.utils}.{NAMES[self.command]}"

    @property
    def looking_task(self) -> str:
        """The task that looks whether there is work: the first one, unless that refreshes."""
        return f"{self.task}_LOOK" if self.refreshes else self.task

    @property
    def refreshes(self) -> bool:
        """Whether others bring the files, who may not refresh the directory of the stage."""
        return self.command == "ingest"

    @property
    def job_task(self) -> str:
        """The task with the job."""
        return f"{self.task}_JOB"

    @property
    def stream(self) -> str:
        """The files that came."""
        return f"{self.task}_FILES"

    @property
    def stage(self) -> str:
        """Where they come: to ingest from others, to infer from ingest."""
        return self.settings.incoming if self.command == "ingest" else self.settings.images


def schedule_tasks(settings: SnowflakeBackend) -> list[str]:
    """Full names of the tasks of all schedules that there may be."""
    each = [ScheduleNames(settings, command) for command in NAMES]
    return [task for names in each for task in (names.task, names.looking_task, names.job_task)]


def schedule_log(settings: SnowflakeBackend) -> str:
    """Full name of the table with a row for each time that files were found."""
    return f"{settings.utils}.{_LOG}"


def create_schedule_log(settings: SnowflakeBackend) -> str:
    """The statement that makes the table, unless it exists."""
    columns = "schedule VARCHAR NOT NULL, files NUMBER(18, 0) NOT NULL, seen_at TIMESTAMP_TZ(6)"
    return f"CREATE TABLE IF NOT EXISTS {schedule_log(settings)} ({columns})"


def suspend_statement(names: ScheduleNames) -> str:
    """Let a schedule start no more jobs, if it is there; the statements below need it."""
    return f"ALTER TASK IF EXISTS {names.task} SUSPEND"


def schedule_statements(names: ScheduleNames, cron: str, job: str) -> list[str]:
    """Make or replace a schedule; it is suspended, and resumed by its first task alone.

    Args:
        names: Of its objects.
        cron: As `checked_cron` gives it.
        job: The statement that runs the job and waits for it.
    """
    comment, schedule = f"COMMENT = '{mark_of(names.settings)}'", NAMES[names.command]
    counted = f"SELECT '{schedule}', COUNT(*), CURRENT_TIMESTAMP() FROM {names.stream}"  # noqa: S608
    look = (
        f"WHEN SYSTEM$STREAM_HAS_DATA('{names.stream}') "
        f"AS INSERT INTO {schedule_log(names.settings)} (schedule, files, seen_at) {counted}"
    )
    first = (
        f"CREATE OR REPLACE TASK {names.task} {SERVERLESS} SCHEDULE = '{cron}' {comment} "
        f"TASK_AUTO_RETRY_ATTEMPTS = {_RETRIES} "
    )
    follows = f"{comment} AFTER {names.looking_task} AS {job}"
    return [
        f"CREATE STREAM IF NOT EXISTS {names.stream} ON STAGE {names.stage} {comment}",
        *(_refreshed(names, first, look) if names.refreshes else [f"{first}{look}"]),
        f"CREATE OR REPLACE TASK {names.job_task} {SERVERLESS} USER_TASK_TIMEOUT_MS = {_DAY_MS} "
        f"{follows}",
        f"ALTER TASK {names.job_task} RESUME",
    ]


def _refreshed(names: ScheduleNames, first: str, look: str) -> list[str]:
    """The first task refreshes, and a second one looks."""
    comment = f"COMMENT = '{mark_of(names.settings)}'"
    return [
        f"{first}AS ALTER STAGE {names.stage} REFRESH",
        f"CREATE OR REPLACE TASK {names.looking_task} {SERVERLESS} {comment} "
        f"AFTER {names.task} {look}",
        f"ALTER TASK {names.looking_task} RESUME",
    ]


def drop_statements(names: ScheduleNames) -> list[str]:
    """Remove a schedule; harmless to run again."""
    return [
        suspend_statement(names),
        f"DROP TASK IF EXISTS {names.job_task}",
        *([f"DROP TASK IF EXISTS {names.looking_task}"] if names.refreshes else []),
        f"DROP TASK IF EXISTS {names.task}",
        f"DROP STREAM IF EXISTS {names.stream}",
    ]


def checked_cron(text: str) -> str:
    """A schedule of a task, which goes into a statement in quotes.

    Raises:
        ConfigError: It is none.
    """
    cron = " ".join(text.split())
    if not _CRON.fullmatch(cron):
        msg = "a schedule reads USING CRON, five fields and a time zone"
        mend = "such as 'USING CRON 0 2 * * * Europe/Berlin', every night at two"
        raise ConfigError(msg, got=repr(text), mend=mend)
    return cron
