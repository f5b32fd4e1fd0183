"""A stage in memory: for tests, and for a worker whose files come as bytes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from lungreg.errors import AlreadyExistsError, StoreUnavailableError
from lungreg.stores.stage import FileInfo, check_name, folders_in, missing_file, open_upload

_TAKEN = "a name on the stage is either a file or a folder, and is created only once"


class MemoryStage:
    """A stage in this process's memory. Implements `lungreg.stores.Stage`.

    Pickling copies the files: a copy in another process does not share them.
    """

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, bytes]:
        with self._lock:
            return dict(self._files)

    def __setstate__(self, files: dict[str, bytes]) -> None:
        self._files = files
        self._lock = threading.RLock()

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        try:
            return self._files[check_name(name)]
        except KeyError as error:
            raise missing_file(name) from error

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""
        with self._lock:
            self._refuse_clash(name)
            self._files[name] = bytes(data)

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path, whose folder is made."""
        data = self.read(name)
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(data)
        except OSError as error:
            msg = "the local path of a download can be written"
            raise StoreUnavailableError(msg, got=error.strerror, where=path) from error

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there."""
        check_name(name)
        with open_upload(path) as source:
            self.write(name, source.read())

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self._lock:
            self._files.pop(check_name(name), None)

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""
        return check_name(name) in self._files

    def size(self, name: str) -> int:
        """Size of a file in bytes."""
        return len(self.read(name))

    def uri(self, name: str) -> str:
        """A name for messages; nothing can be opened by it."""
        return f"in-memory:{check_name(name)}"

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder."""
        prefix = f"{check_name(folder)}/" if folder else ""
        with self._lock:
            return [
                FileInfo(name=name, size=len(self._files[name]))
                for name in sorted(self._files)
                if name.startswith(prefix)
            ]

    def folders(self, folder: str = "") -> Sequence[str]:
        """The folders directly in a folder."""
        return folders_in(folder, self.list(folder))

    def _refuse_clash(self, name: str) -> None:
        """Refuse a name that is a folder's, or that is below a file, as a file system does."""
        parts = check_name(name).split("/")
        above = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if above & self._files.keys() or any(old.startswith(f"{name}/") for old in self._files):
            raise AlreadyExistsError(_TAKEN, where=name)
