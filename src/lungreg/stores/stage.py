"""The Stage protocol: the place where files live."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from lungreg.errors import DataError, NotFoundError, UnreadableFileError

MAX_NAME_BYTES = 200
"""Longest part of a name between slashes, UTF-8: file systems allow 255, writers add a suffix."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """One file of a stage."""

    name: str
    """Relative to the stage's root, parts joined by "/"."""
    size: int
    """Bytes."""


@runtime_checkable
class Stage(Protocol):
    """The place where files live.

    Contract:
        - A name is relative, of parts joined by "/"; no part is empty, "." or "..", none holds a
          control character, a backslash or more than `MAX_NAME_BYTES` bytes (`check_name`).
          Spaces, quotes and unicode are kept. Bad names raise `DataError`.
        - `write` and `upload` are atomic: a reader sees the old bytes or the new, never a part,
          and a failed write leaves nothing behind. Missing folders are made.
        - `read`, `download` and `size` of a missing name raise `NotFoundError`; `delete` of one
          does nothing.
        - `list` takes a folder, not a prefix: "case_1" does not list "case_10/...". It descends,
          returns names relative to the root in sorted order, and [] for a missing folder. Partial
          files of writes in progress are never listed.
        - `folders` takes a folder likewise and does not descend: sorted names, relative to the
          root, of the folders directly in it that hold a file; one from which all files have gone
          may be named as well.
        - A full, unreachable or forbidden store raises `StoreUnavailableError`.
        - Methods may be called from several threads and processes at once.
    """

    def read(self, name: str) -> bytes:
        """The bytes of a file."""

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path."""

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""

    def size(self, name: str) -> int:
        """Size of a file in bytes."""

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder."""

    def folders(self, folder: str = "") -> Sequence[str]:
        """The folders directly in a folder."""

    def uri(self, name: str) -> str:
        """Where a person finds the file."""


def open_upload(path: Path) -> BinaryIO:
    """Open a local file that is to be uploaded.

    Raises:
        UnreadableFileError: It cannot be opened.
    """
    try:
        return Path(path).open("rb")
    except OSError as error:
        msg = "a file to upload must exist and be readable"
        raise UnreadableFileError(msg, got=error.strerror, where=path) from error


def missing_file(name: object) -> NotFoundError:
    """The error of a name that is not on the stage."""
    return NotFoundError("a file must be on the stage to be read", where=name)


def check_name(name: str) -> str:
    """Return the name if a stage may hold a file of it.

    Raises:
        DataError: It may not, and why.
    """
    for part in name.split("/"):
        if part in ("", ".", ".."):
            msg = "a name on the stage is relative, without empty, '.' or '..' parts"
            raise DataError(msg, where=repr(name))
        if _CONTROL.search(part):
            msg = "a name on the stage holds no backslash and no control character"
            raise DataError(msg, where=repr(name), mend="rename the file")
        if _SURROGATE.search(part):
            msg = "a name on the stage is valid unicode"
            raise DataError(msg, where=repr(name), mend="rename the file")
        if (size := len(part.encode())) > MAX_NAME_BYTES:
            msg = f"a part of a name on the stage has at most {MAX_NAME_BYTES} bytes"
            raise DataError(msg, got=size, mend="shorten the case id", where=part[:40])
    return name


def is_name(name: str) -> bool:
    """Whether a stage may hold a file of this name."""
    try:
        check_name(name)
    except DataError:
        return False
    return True


def folders_in(folder: str, files: Iterable[FileInfo]) -> list[str]:
    """`Stage.folders`, from a listing of the folder."""
    start = f"{folder}/" if folder else ""
    below = (info.name.removeprefix(start).partition("/") for info in files)
    return sorted({f"{start}{name}" for name, slash, _ in below if slash})
