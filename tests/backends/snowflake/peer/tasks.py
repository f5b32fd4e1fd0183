"""Streams on stages and tasks of the peer: what it takes to make them, and what the clock does.

By Snowflake's pages "CREATE TASK", "ALTER TASK" and "CREATE STREAM". The number of the error of an
owner who may not execute tasks is that of users' reports, as is its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.statement import SqlError, missing

_DONE: Answer = (["status"], [["Statement executed successfully."]])
_NAME = r"(?P<name>\w+\.\w+\.\w+)"
_TASK = re.compile(
    rf"CREATE (?P<replace>OR REPLACE )?TASK {_NAME} (?P<options>.*?)"
    r"(?: AFTER (?P<after>\S+))?(?: WHEN SYSTEM\$STREAM_HAS_DATA\('(?P<stream>[^']+)'\))?"
    r" AS (?P<body>(?:INSERT|CALL|ALTER STAGE) .*)",
    re.S,
)
_SCHEDULE = re.compile(r"SCHEDULE = '([^']*)'")
_CRON = re.compile(r"USING CRON( \S+){5} [A-Za-z]+(/[A-Za-z_]+)*")


@dataclass
class Task:
    """A task."""

    owner: str | None
    schedule: str
    after: str
    stream: str
    body: str
    is_started: bool = False


class Tasks:
    """The account's tasks and streams."""

    def __init__(self, peer: Peer) -> None:
        self.tasks: dict[str, Task] = {}
        self.streams: dict[str, tuple[str, set[str]]] = {}
        """By full name, the stage and the files that were taken off."""
        self.may_execute: Callable[[str | None], bool] = lambda _: True
        """Whether a role has EXECUTE TASK on the account."""
        self._peer = peer
        peer.on(r"^CREATE STREAM ", self._create_stream)
        peer.on(r"^CREATE (OR REPLACE )?TASK ", self._create)
        peer.on(r"^ALTER TASK ", self._alter)
        peer.on(r"^DROP (TASK|STREAM) IF EXISTS", self._drop)
        peer.on(r"^SHOW TASKS", self._show)
        peer.on(r"^INSERT INTO \S+ .* FROM \S+_FILES$", self._take_off)

    def clock(self, run: Callable[[str | None, str], object]) -> list[str]:
        """Let all started tasks come to their time; returns the names of those that ran.

        Args:
            run: Runs a statement in a role.
        """
        roots = [name for name, task in self.tasks.items() if task.is_started and not task.after]
        return [ran for name in roots for ran in self._fired(name, run)]

    def drop_in(self, name: str) -> None:
        """Forget those of a database or schema that is dropped."""
        for kept in (self.tasks, self.streams):
            for each in [each for each in kept if each.startswith(f"{name}.")]:
                del kept[each]

    def _fired(self, name: str, run: Callable[[str | None, str], object]) -> list[str]:
        task = self.tasks[name]
        if task.stream and not self._new_files(task.stream):
            return []
        run(task.owner, task.body)
        after = [each for each, other in self.tasks.items() if other.after == name]
        after = [each for each in after if self.tasks[each].is_started]
        return [name, *(ran for each in after for ran in self._fired(each, run))]

    def _new_files(self, stream: str) -> set[str]:
        stage, taken = self.streams[stream]
        return self._listed(stage) - taken

    def _listed(self, stage: str) -> set[str]:
        """What the directory of a stage lists, as of its last refresh."""
        folders = self._peer.stages.directories.items()
        parts = tuple(stage.split("."))
        return next((set(files) for folder, files in folders if folder.parts[-3:] == parts), set())

    def _create_stream(self, sql: str, *_: object) -> Answer:
        match = re.match(
            rf"CREATE STREAM IF NOT EXISTS {_NAME} ON STAGE (?P<stage>\S+) COMMENT = '[^']*'$", sql
        )
        if match is None:
            raise _unexpected(sql)
        stage = match["stage"].upper()
        self.streams.setdefault(match["name"].upper(), (stage, self._listed(stage)))
        return _DONE

    def _create(self, sql: str, _binds: object, connection: Any) -> Answer:
        match = _TASK.fullmatch(sql)
        if match is None:
            raise _unexpected(sql)
        schedule, after = _SCHEDULE.search(match["options"]), (match["after"] or "").upper()
        if bool(schedule) == bool(after) or (schedule and not _CRON.fullmatch(schedule[1])):
            raise SqlError(91033, "22023", "Invalid schedule, or a child task with one.")
        if (stream := (match["stream"] or "").upper()) and stream not in self.streams:
            raise missing(stream, "Stream")
        self._require_rest(after or match["name"].upper())
        self.tasks[match["name"].upper()] = Task(
            owner=self._peer.roles.of_connection(connection),
            schedule=schedule[1] if schedule else "",
            after=after,
            stream=stream,
            body=match["body"],
        )
        return _DONE

    def _require_rest(self, root: str) -> None:
        """Nothing of a graph is changed while its first task is started."""
        found = self.tasks.get(root)
        while found is not None and found.after:
            root, found = found.after, self.tasks.get(found.after)
        if found is not None and found.is_started:
            text = f"Unable to update graph with root task {root} since it is not suspended."
            raise SqlError(91087, "23001", text)

    def _alter(self, sql: str, _binds: object, connection: Any) -> Answer:
        match = re.fullmatch(
            rf"ALTER TASK (?P<there>IF EXISTS )?{_NAME} (?P<verb>RESUME|SUSPEND)", sql
        )
        if match is None:
            raise _unexpected(sql)
        task = self.tasks.get(match["name"].upper())
        if task is None:
            if match["there"]:
                return _DONE
            raise missing(match["name"], "Task")
        if match["verb"] == "RESUME" and not self.may_execute(task.owner):
            text = "Cannot execute task , EXECUTE TASK privilege must be granted to owner role"
            raise SqlError(91089, "23001", text)
        if task.after:
            self._require_rest(task.after)
        task.is_started = match["verb"] == "RESUME"
        return _DONE

    def _drop(self, sql: str, *_: object) -> Answer:
        name = sql.rsplit(maxsplit=1)[-1].upper()
        self.tasks.pop(name, None)
        self.streams.pop(name, None)
        return _DONE

    def _show(self, sql: str, _binds: object, connection: Any) -> Answer:
        roles = self._peer.roles.had_by(self._peer.roles.of_connection(connection))
        pattern = re.search(r"(?:LIKE '(\w+)' )?IN SCHEMA (\S+)", sql)
        if pattern is None:
            raise _unexpected(sql)
        rows = [
            [name.rpartition(".")[2], "started" if task.is_started else "suspended", task.schedule]
            for name, task in self.tasks.items()
            if task.owner in (*roles, None) and name.startswith(f"{pattern[2].upper()}.")
        ]
        like = (pattern[1] or ".*").replace("_", ".")  # LIKE takes "_" for any character
        return ["name", "state", "schedule"], [row for row in rows if re.fullmatch(like, row[0])]

    def _take_off(self, sql: str, *_: object) -> Answer:
        name = sql.rsplit(maxsplit=1)[-1].upper()
        stage, _ = self.streams[name]
        number = len(self._new_files(name))
        self.streams[name] = stage, self._listed(stage)
        return ["number of rows inserted"], [[number]]


def _unexpected(sql: str) -> SqlError:
    return SqlError(1003, "42000", f"SQL compilation error: unexpected in {sql[:200]}")
