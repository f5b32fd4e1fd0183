"""Snowflake's internal stages as a `lungreg.stores.Stage`: one for scans, one for runs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, TypeVar

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files import transfers
from lungreg.backends.snowflake.files.client_folders import client_folders_removed
from lungreg.backends.snowflake.files.listing import Entry, entries, entry_of
from lungreg.backends.snowflake.files.stage_names import spelled, unspelled
from lungreg.errors import DataError, StoreUnavailableError
from lungreg.stores import FileInfo, check_name
from lungreg.stores.names import RUNS
from lungreg.stores.stage import folders_in, missing_file, open_upload

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_PARTIAL = ".lungreg-partial-"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class SnowflakeStage:
    """Files on two internal stages. Implements `lungreg.stores.Stage`.

    Names are spelled as `stage_names` says. A file appears at once and complete, as in all object
    stores; a transfer that breaks off is started again on a new session. Size and MD5 are compared
    after each transfer. Downloads pass through private folders.
    """

    source: SessionSource
    parallel: int = field(default=4, kw_only=True)
    """Parts of one large file that are sent at once."""

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        with _private_folder() as folder:
            return self._fetched(name, folder).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""
        self._put(name, lambda: io.BytesIO(data))

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path, whose folder is made."""
        self.size(name)  # no folder is made for a file that is not there
        target = Path(path)
        with _private_folder(beside=target) as folder:
            self._fetched(name, folder).replace(target)

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there.

        Raises:
            UnreadableFileError: The local file cannot be opened.
        """
        self._put(name, lambda: open_upload(path))

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        stage, path = self._place(name)
        self._do(name, lambda session: transfers.remove(session, stage, path))

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""
        return self._entry(name) is not None

    def size(self, name: str) -> int:
        """Size of a file in bytes."""
        found = self._entry(name)
        if found is None:
            raise missing_file(name)
        return found.size

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder, without those whose names lungreg would spell otherwise."""
        if folder:
            stage, path = self._place(folder)
            found = self._entries(folder, stage, f"{path}/")
        else:
            found = [entry for stage in self._stages() for entry in self._entries("", stage, "")]
        files = [
            FileInfo(name=name, size=entry.size)
            for entry in found
            if (name := _name_of(entry)) is not None
        ]
        return sorted(files, key=lambda info: info.name)

    def folders(self, folder: str = "") -> Sequence[str]:
        """The folders directly in a folder; LIST descends, so that this lists all files in it."""
        return folders_in(folder, self.list(folder))

    def written_at(self, prefix: str) -> dict[str, datetime]:
        """When the files whose names begin so were last written, by the server's clock."""
        stage, path = self._place(prefix)
        found = {_name_of(entry): entry for entry in self._entries(prefix, stage, path)}
        return {name: entry.written_at for name, entry in found.items() if name is not None}

    def paths(self, folder: str) -> Sequence[str]:
        """Paths of all files under a folder on the stage, also where others have spelled them."""
        stage, path = self._place(folder)
        return [entry.path for entry in self._entries(folder, stage, f"{path}/")]

    def download_path(self, folder: str, path: str, private: Path) -> Path:
        """Copy a file of `paths` into a local folder of its own; returns its path there."""
        stage, _ = self._place(folder)
        file = self._do(folder, lambda session: transfers.get(session, stage, path, private))
        if file is None:
            raise missing_file(folder)
        return file

    def clear(self, folder: str) -> int:
        """Remove all files under a folder, however they are spelled; returns how many stay."""
        stage, path = self._place(folder)
        self._do(folder, lambda session: transfers.remove_all(session, stage, f"{path}/"))
        return len(self.paths(folder))

    def uri(self, name: str) -> str:
        """The file's place in SQL: @DATABASE.SCHEMA.STAGE/path."""
        return "@{}/{}".format(*self._place(name))

    def _place(self, name: str) -> tuple[str, str]:
        """Full name of the stage, and the spelled path on it: `runs/` has a stage of its own."""
        images, runs = self._stages()
        return (runs if check_name(name).split("/")[0] == RUNS else images), spelled(name)

    def _stages(self) -> tuple[str, str]:
        return self.source.settings.images, self.source.settings.runs

    def _entry(self, name: str) -> Entry | None:
        stage, path = self._place(name)
        return self._do(name, lambda session: entry_of(session, stage, path))

    def _entries(self, where: str, stage: str, prefix: str) -> Sequence[Entry]:
        return self._do(where or stage, lambda session: entries(session, stage, prefix))

    def _fetched(self, name: str, folder: Path) -> Path:
        return self.download_path(name, self._place(name)[1], folder)

    def _put(self, name: str, source: Callable[[], IO[bytes]]) -> None:
        stage, path = self._place(name)
        self._do(name, lambda session: transfers.put(session, stage, path, source, self.parallel))

    def _do(self, where: str, work: Callable[[Session], Answer]) -> Answer:
        def done(session: Session) -> Answer:
            with client_folders_removed():
                return work(session)

        try:
            return self.source.attempt(done)
        except StoreUnavailableError as error:
            error.where = where
            raise
        except OSError as error:
            msg = "the store must answer, have space and permit the operation"
            got = error.strerror or type(error).__name__
            raise StoreUnavailableError(msg, got=got, where=where) from error


@contextmanager
def _private_folder(*, beside: Path | None = None) -> Iterator[Path]:
    """A folder that only this user can read, removed afterwards; on the disk of a target."""
    parent = None
    if beside is not None:
        parent = beside.parent
        parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=_PARTIAL, dir=parent) as folder:
        yield Path(folder)


def _name_of(entry: Entry) -> str | None:
    name = unspelled(entry.path)
    try:
        return None if name is None else check_name(name)
    except DataError:
        return None
