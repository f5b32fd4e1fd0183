"""Schedules as tasks of Snowflake around an ML Job, in the role that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lungreg.backends.snowflake.connection.faults import number_of
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs.options import checked_pool, job_options, sending
from lungreg.backends.snowflake.jobs.payload import payload_stage, write_payload
from lungreg.backends.snowflake.jobs.schedule_sql import (
    NAMES,
    ScheduleNames,
    checked_cron,
    drop_statements,
    schedule_statements,
    suspend_statement,
)
from lungreg.backends.snowflake.jobs.submission import job_statement
from lungreg.config import INCOMING, Config
from lungreg.errors import ConfigError, ForbiddenError, NotFoundError, StoreError
from lungreg.stores import Schedule

ARGUMENTS = {"ingest": ("ingest",), "infer": ("infer", "--new")}
"""What the job of a schedule runs: ingest takes only what is new by itself."""
_NO_EXECUTE_TASK = 91089
"""Snowflake's error where the owner of a task may not execute tasks."""
_STARTED = "started"


@dataclass(frozen=True)
class SnowflakeSchedules:
    """A task for each command. Implements `lungreg.stores.Scheduler`.

    What the job is sent lies in a folder of its own on the stage of the jobs, as long as the
    schedule is there.
    """

    source: SessionSource

    def make(
        self, command: str, config: Config, *, cron: str, pool: str | None = None, nodes: int = 1
    ) -> str:
        """Send what the job needs, and make its tasks, suspended.

        Raises:
            ConfigError: The command has no schedule, its source cannot be new, or `cron` is none.
            ResourceError: The pool may not have so many nodes.
            RunError: The account has no image for it, or lungreg cannot be packed.
            ForbiddenError: The role lacks what `lungreg setup --schedules` grants.
        """
        settings = self.source.settings
        names, cron = self._names(NAMES.get(command, command)), checked_cron(cron)
        _refuse_what_stays_here(command, config)
        pool = checked_pool(settings, pool, nodes)
        with sending(self.source, pool) as (session, folder, image):
            with_ingest = command == "ingest"
            write_payload(config, settings, folder, pool=pool, image=image, with_ingest=with_ingest)
            # What an earlier schedule was sent goes only once that one starts no more jobs.
            session.sql(suspend_statement(names)).collect()
            session.file.remove(self._folder(names))
            options = job_options(settings, ARGUMENTS[command], names.task, nodes, image)
            sent = {**options, "session": session, "overwrite": True}
            job = job_statement(folder, pool, sent, ARGUMENTS[command])
        for sql in schedule_statements(names, cron, job):
            self._run(sql)
        return NAMES[command]

    def schedules(self) -> Sequence[Schedule]:
        """Those of this role; SHOW lists only tasks on which it has a privilege."""
        found = []
        for command, name in NAMES.items():
            names = ScheduleNames(self.source.settings, command)
            rows = self.source.run(
                f"SHOW TASKS LIKE '{name}' IN SCHEMA {self.source.settings.utils}"
            )
            found += [
                Schedule(
                    name=name,
                    state=str(row["state"]).lower(),
                    cron=str(row["schedule"]),
                    waits_for=f"files on {names.stage}",
                )
                for row in rows
                if str(row["name"]).upper() == name
            ]
        return found

    def resume(self, name: str) -> None:
        """Let the task start; its job's task has been resumed since it was made."""
        self._run(f"ALTER TASK {self._names(name).task} RESUME")

    def suspend(self, name: str) -> None:
        """Let the task start no more."""
        self._run(f"ALTER TASK {self._names(name).task} SUSPEND")

    def drop(self, name: str) -> None:
        """Drop the tasks and the stream, and remove what the job was sent."""
        names = self._names(name)
        for sql in drop_statements(names):
            self._run(sql)
        self.source.attempt(lambda session: session.file.remove(self._folder(names)))

    def _folder(self, names: ScheduleNames) -> str:
        return f"{payload_stage(self.source.settings)}/{names.task.rpartition('.')[2]}/"

    def _names(self, name: str) -> ScheduleNames:
        for command, known in NAMES.items():
            if name.upper() == known:
                return ScheduleNames(self.source.settings, command)
        msg = f"a schedule is one of {', '.join(NAMES.values())}"
        raise NotFoundError(msg, got=repr(name), mend="see 'lungreg schedule list'")

    def _run(self, sql: str) -> None:
        try:
            self.source.run(sql)
        except ForbiddenError as error:
            error.mend = f"run 'lungreg setup --schedules --execute'; {error.mend}"
            raise
        except StoreError as error:
            if number_of(error.__cause__ or error) != _NO_EXECUTE_TASK:
                raise
            msg = "the role that owns a task may execute tasks"
            mend = "run 'lungreg setup --schedules', which says what an administrator grants"
            raise ForbiddenError(msg, got="no EXECUTE TASK ON ACCOUNT", mend=mend) from error


def _refuse_what_stays_here(command: str, config: Config) -> None:
    """Refuse a schedule of what only this machine has, and of a source that is never new."""
    ingest = config.ingest
    if command != "ingest":
        return
    if ingest.source != INCOMING:
        msg = "a schedule ingests what others put on backend.incoming_stage"
        got = "none" if ingest.source is None else "another source"
        raise ConfigError(msg, got=f"ingest.source: {got}", mend="set ingest.source: incoming")
    if ingest.pseudonymise or ingest.groups is not None:
        msg = "a schedule ingests without files of this machine"
        got = "ingest.pseudonymise" if ingest.pseudonymise else "ingest.groups"
        mend = "leave it out, or run 'lungreg ingest' here"
        raise ConfigError(msg, got=got, mend=mend)
