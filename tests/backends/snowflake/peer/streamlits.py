"""Streamlit apps of the peer: files that are copied when one is made, and a live version.

By Snowflake's pages "CREATE STREAMLIT" and "ALTER STREAMLIT"; the numbers of the errors are those
of workspaces, whose versions have the same statements.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.stages import STREAMLIT_FILES, Place
from tests.backends.snowflake.peer.statement import SqlError, missing

_DONE: Answer = (["status"], [["Statement executed successfully."]])
_CREATE = re.compile(
    r"CREATE STREAMLIT IF NOT EXISTS (?P<name>\w+\.\w+\.\w+) FROM '@(?P<stage>\w+\.\w+\.\w+)/"
    r"(?P<folder>[\w/]*)' MAIN_FILE = '(?P<main>[\w.]+)' QUERY_WAREHOUSE = \w+ "
    r"TITLE = '[^']*' COMMENT = '[^']*'"
)


class Streamlits:
    """The account's apps, in folders below that of the stages."""

    def __init__(self, peer: Peer) -> None:
        self.viewers: dict[str, set[str]] = {}
        """By full name, the roles that may use it."""
        self.owners: dict[str, str | None] = {}
        """By full name, the role that made it, with whose rights it runs."""
        self._roles = peer.roles
        self._root = peer.stages.root / "_streamlits"
        shutil.rmtree(self._root, ignore_errors=True)
        peer.stages.streamlit_place = self.place
        peer.on(r"^CREATE (OR REPLACE )?STREAMLIT ", self._create)
        peer.on(r"^ALTER STREAMLIT (\S+) ADD LIVE VERSION FROM LAST$", self._open)
        peer.on(r"^GRANT USAGE ON STREAMLIT ", self._grant)
        peer.on(r"^DROP STREAMLIT IF EXISTS ", self._drop)
        self._stages = peer.stages

    def shown(self, name: str) -> dict[str, bytes]:
        """By name, the files that viewers see; none before there is a live version."""
        return {file.name: file.read_bytes() for file in (self._root / name / "live").glob("*")}

    def drop_in(self, name: str) -> None:
        """Forget those of a database or schema that is dropped."""
        gone = [app for app in self.viewers if f"{app}.".startswith(f"{name}.")]
        for app in gone:
            del self.viewers[app]

    def place(self, reference: str) -> Place:
        """The folder of the live version."""
        name, _, rest = reference.removeprefix(STREAMLIT_FILES).partition("/versions/live/")
        folder = self._known(name) / "live"
        if not folder.is_dir():
            raise SqlError(99108, "22000", "Live version is not found.")
        return Place(folder, rest, "/versions/live")

    def _known(self, name: str) -> Path:
        if name.upper() not in self.viewers:
            raise missing(name, "Streamlit")
        return self._root / name.upper()

    def _create(self, sql: str, _binds: object, connection: Any) -> Answer:
        match = _CREATE.fullmatch(sql)
        if match is None:
            raise SqlError(1003, "42000", f"SQL compilation error: unexpected in {sql}")
        name = match["name"].upper()
        if name in self.viewers:
            return _DONE
        source = self._stages.place(f"@{match['stage']}/{match['folder']}", connection)
        folder = source.folder / match["folder"]
        if not (folder / match["main"]).is_file():
            raise SqlError(1003, "22023", f"Main file '{match['main']}' is not in the source.")
        shutil.copytree(folder, self._root / name / "last", dirs_exist_ok=True)
        self.viewers[name] = set()
        self.owners[name] = self._roles.of_connection(connection)
        return _DONE

    def _open(self, sql: str, *_: object) -> Answer:
        folder = self._known(sql.split()[2])
        if (folder / "live").is_dir():
            raise SqlError(99106, "42710", "A live version exists already.")
        shutil.copytree(folder / "last", folder / "live")
        return _DONE

    def _drop(self, sql: str, *_: object) -> Answer:
        self.drop_in(sql.rsplit(maxsplit=1)[-1].upper())
        return _DONE

    def _grant(self, sql: str, _binds: object, connection: Any) -> Answer:
        """In a managed schema who owns it grants, and not who owns the app."""
        words = sql.split()
        if self.owners[words[4].upper()] == self._roles.of_connection(connection):
            raise SqlError(3001, "42501", "Insufficient privileges: the schema is managed.")
        self._known(words[4])
        self.viewers[words[4].upper()].add(words[-1])
        return _DONE
