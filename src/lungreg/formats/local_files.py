"""Read and write small local files; a failed write leaves no partial file."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from lungreg.errors import ConfigError, MissingFileError, RunError, UnreadableFileError


def refuse_overwriting(out: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse an output path that is one of the input files, or a folder.

    Raises:
        ConfigError: It is one, however its path is written.
        RunError: No file can have this name.
    """
    if not is_there(out):
        return
    for path in inputs:
        if path is not None and _is_same(path, out):
            msg = "an output is another file than the inputs"
            raise ConfigError(msg, got="one of them", mend="give it another name", where=out)
    if out.is_dir():
        msg = "an output is a file"
        raise ConfigError(msg, got="a folder", mend="name a file in it", where=out)


def is_there(path: Path) -> bool:
    """Whether a file or folder has this name, or a link, which may lead to nothing.

    Raises:
        RunError: None can have it: the name is too long, or a file is where a folder should be.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(path, error) from error
    return True


def write_file(path: Path, data: bytes) -> None:
    """Write or replace a file in one step; missing folders are made.

    Raises:
        RunError: The disk is full, or the folder cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def read_file(path: Path) -> bytes:
    """The bytes of a small file.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It may not be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        msg = "the file must be there"
        raise MissingFileError(msg, got="nothing", mend="check its name", where=path) from error
    except OSError as error:
        msg = "a file must be readable"
        raise UnreadableFileError(msg, got=error.strerror, where=path) from error


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there, or has a name that none can have
        return False


def _unwritable(path: Path, error: OSError) -> RunError:
    msg = "an output goes to a place that can be written"
    mend = "give it another name, or make room there"
    return RunError(msg, got=error.strerror or type(error).__name__, mend=mend, where=path)
