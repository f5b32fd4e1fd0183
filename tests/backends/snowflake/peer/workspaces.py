"""Workspaces of the peer: a version that can be written to, and the one that everybody sees.

By Snowflake's page "Workspace operations using SQL"; the numbers of the errors are those that
Snowflake's command line and a report of September 2026 have met.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.stages import WORKSPACE_FILES, Place
from tests.backends.snowflake.peer.statement import SqlError, missing

_DONE: Answer = (["status"], [["Statement executed successfully."]])
_NAME = r"(\w+\.\w+\.\w+)"


class Workspaces:
    """The account's workspaces, in folders below that of the stages."""

    def __init__(self, peer: Peer, *, setup: str = "LUNGREG_SETUP") -> None:
        self.names: set[str] = set()
        """Full, in capitals."""
        self._peer = peer
        self._setup = setup
        self._root = peer.stages.root / "_workspaces"
        shutil.rmtree(self._root, ignore_errors=True)
        peer.stages.workspace_place = self.place
        peer.on(rf"^CREATE WORKSPACE IF NOT EXISTS {_NAME}$", self._create)
        peer.on(rf"^ALTER WORKSPACE {_NAME} ADD LIVE VERSION FROM LAST$", self._open)
        peer.on(rf"^ALTER WORKSPACE {_NAME} COMMIT$", self._commit)
        peer.on(r"^GRANT \w+ ON WORKSPACE (\S+)", self._grant)
        peer.on(r"^CREATE (OR REPLACE )?NOTEBOOK (?!PROJECT)", _no_legacy_notebook)

    def published(self, name: str) -> dict[str, bytes]:
        """By name, the files that everybody sees."""
        folder = self._root / name / "head"
        return {file.name: file.read_bytes() for file in folder.glob("*")}

    def drop_in(self, name: str) -> None:
        """Forget those of a database or schema that is dropped."""
        self.names = {each for each in self.names if not each.startswith(f"{name}.")}

    def place(self, reference: str) -> Place:
        """The folder of a version, as a URL of the workspace names it."""
        name, _, rest = reference.removeprefix(WORKSPACE_FILES).partition("/versions/")
        version, _, path = rest.partition("/")
        folder = self._known(name) / version
        if version == "live" and not folder.is_dir():
            raise SqlError(99108, "22000", "Live version is not found.")
        return Place(folder, path, f"/versions/{version}")

    def _known(self, name: str) -> Path:
        if name.upper() not in self.names:
            raise missing(name, "Workspace")
        return self._root / name.upper()

    def _create(self, sql: str, _binds: object, connection: Any) -> Answer:
        role = self._peer.roles.of_connection(connection)
        if role not in (None, self._setup):
            text = "SQL access control error:\nInsufficient privileges: CREATE WORKSPACE on schema."
            raise SqlError(3001, "42501", text)
        name = sql.rsplit(maxsplit=1)[-1].upper()
        _require_schema(name, connection)
        self.names.add(name)
        return _DONE

    def _open(self, sql: str, *_: object) -> Answer:
        folder = self._known(sql.split()[2])
        if (folder / "live").is_dir():
            raise SqlError(99106, "42710", "A live version exists already.")
        (folder / "head").mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder / "head", folder / "live")
        return _DONE

    def _commit(self, sql: str, *_: object) -> Answer:
        folder = self._known(sql.split()[2])
        if not (folder / "live").is_dir():
            raise SqlError(99108, "22000", "Live version is not found.")
        shutil.rmtree(folder / "head")
        (folder / "live").rename(folder / "head")
        return _DONE

    def _grant(self, sql: str, *_: object) -> Answer:
        self._known(sql.split()[4])
        return _DONE


def _no_legacy_notebook(*_: object) -> Answer:
    raise SqlError(1, "0A000", "Legacy Notebooks can no longer be created.")


def _require_schema(name: str, connection: Any) -> None:
    full = name.rpartition(".")[0]
    database, _, schema = full.partition(".")
    cursor = connection.cursor()
    cursor.execute(f"SHOW SCHEMAS IN DATABASE {database}")
    column = [item.name for item in cursor.description].index("name")
    if schema not in {row[column] for row in cursor.fetchall()}:
        raise missing(full, "Schema")
