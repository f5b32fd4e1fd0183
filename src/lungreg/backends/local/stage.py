"""A stage in a folder of the file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR
from typing import BinaryIO

from lungreg.backends.local.faults import reading, writing
from lungreg.backends.local.partial import PARTIAL_PREFIX, is_partial, link_new, partial_beside
from lungreg.errors import DataError, NotFoundError, StoreUnavailableError, UnsafeInputError
from lungreg.stores import FileInfo, check_name
from lungreg.stores.stage import is_name, open_upload

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class LocalStage:
    """Files under one folder. Implements `ExclusiveStage`.

    Several processes and nodes may share the folder. A symbolic link inside it may lead to
    another place inside it and nowhere else.
    """

    root: Path
    """Folder, made absolute; it need not exist yet."""
    fsync: bool = field(default=True, kw_only=True)
    """Wait until a file's bytes are on the disk before it gets its name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        with self._open(name) as handle, reading(name):
            return handle.read()

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""
        target = self._target(name)
        with writing(name), partial_beside(target) as partial:
            self._fill(partial, data)
            partial.replace(target)

    def create(self, name: str, data: bytes) -> None:
        """Write a file that must not exist yet."""
        target = self._target(name)
        with writing(name), partial_beside(target) as partial:
            self._fill(partial, data)
            link_new(partial, target)

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path, whose folder is made."""
        with self._open(name) as source, writing(path), partial_beside(Path(path)) as partial:
            self._copy(source, partial)
            partial.replace(path)

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there.

        Raises:
            UnreadableFileError: The local file cannot be opened.
        """
        target = self._target(name)
        with open_upload(path) as source, writing(name), partial_beside(target) as partial:
            self._copy(source, partial)
            partial.replace(target)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        target = self._target(name)
        with writing(name):
            try:
                target.unlink(missing_ok=True)
            except NotADirectoryError:
                return
            except OSError:  # the error for a folder differs between systems
                if not target.is_dir():
                    raise

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""
        try:
            self.size(name)
        except NotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Size of a file in bytes."""
        path = self._source(name)
        with reading(name):
            found = path.stat()
            if S_ISDIR(found.st_mode):
                raise IsADirectoryError
            return found.st_size

    def uri(self, name: str) -> str:
        """The file's absolute path."""
        return str(self.root / check_name(name))

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder, without those that a name cannot hold."""
        start = self._source(folder) if folder else self.root
        with reading(folder or self.root):
            files = list(self._walk(start, f"{folder}/" if folder else ""))
        return sorted(files, key=lambda info: info.name)

    def folders(self, folder: str = "") -> Sequence[str]:
        """The folders directly in a folder, without those that a name cannot hold."""
        start = self._source(folder) if folder else self.root
        prefix = f"{folder}/" if folder else ""
        with reading(folder or self.root), suppress(FileNotFoundError, NotADirectoryError):
            with os.scandir(start) as scan:
                names = [prefix + it.name for it in scan if it.is_dir(follow_symlinks=False)]
            return sorted(filter(is_name, names))
        return []

    def _walk(self, folder: Path, prefix: str) -> Iterator[FileInfo]:
        try:
            with os.scandir(folder) as scan:
                entries = [*scan]
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), f"{name}/")
            elif (info := self._info(name, entry)) is not None:
                yield info

    def _info(self, name: str, entry: os.DirEntry[str]) -> FileInfo | None:
        """The file; None where it is none of the stage, or is gone."""
        if is_partial(name):
            return None
        try:
            check_name(name)
            size = self.size(name) if entry.is_symlink() else entry.stat().st_size
        except (DataError, NotFoundError, FileNotFoundError):
            return None
        return FileInfo(name=name, size=size)

    def _open(self, name: str) -> BinaryIO:
        path = self._source(name)
        with reading(name):
            return path.open("rb")

    def _fill(self, path: Path, data: bytes) -> None:
        with path.open("xb") as handle:
            handle.write(data)
            self._settle(handle)

    def _copy(self, source: BinaryIO, path: Path) -> None:
        with path.open("xb") as handle:
            shutil.copyfileobj(source, handle, _CHUNK_BYTES)
            self._settle(handle)

    def _settle(self, handle: BinaryIO) -> None:
        handle.flush()
        if self.fsync:
            os.fsync(handle.fileno())

    def _source(self, name: str) -> Path:
        path = self.root / check_name(name)
        self._contain(path, name)
        return path

    def _target(self, name: str) -> Path:
        """Path to write or delete: a link as last part is replaced itself, never followed."""
        path = self.root / check_name(name)
        if path.name.startswith(PARTIAL_PREFIX):
            msg = f"no name on the stage begins with {PARTIAL_PREFIX}"
            raise DataError(msg, where=repr(name), mend="rename the file")
        with writing(name):
            if self.root.exists() and not self.root.is_dir():
                msg = "the root of a local stage is a folder"
                mend = "set backend.root to a folder"
                raise StoreUnavailableError(msg, got="a file", mend=mend, where=self.root)
        self._contain(path.parent, name)
        return path

    def _contain(self, path: Path, name: str) -> None:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            msg = "a symbolic link on the stage leads to a place on the stage"
            raise UnsafeInputError(msg, mend="copy the files instead", where=name)
