"""Files to and from a stage, one at a time, checked by size and checksum on arrival.

`get_stream` is avoided: it downloads to a file of the same base name in the common temporary
folder, where two readers get each other's bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

from lungreg.backends.snowflake.faults import number_of
from lungreg.backends.snowflake.listing import Entry, entries, entry_of
from lungreg.errors import StoreUnavailableError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_ROUNDS = 8
_FILE_NOT_THERE = 253006
Open = Callable[[], IO[bytes]]


def put(session: Session, stage: str, path: str, source: Open, parallel: int) -> None:
    """Upload to a path, replacing what is there; the file appears at once and complete.

    Raises:
        StoreUnavailableError: What lies there afterwards is something else, again and again.
    """
    with source() as stream:
        size, md5 = _digest(stream)
    for _ in range(_ROUNDS):
        with source() as stream:
            session.file.put_stream(
                stream,
                f"@{stage}/{path}",
                parallel=parallel,
                auto_compress=False,
                source_compression="NONE",
                overwrite=True,
            )
        found = entry_of(session, stage, path)
        if found is not None and found.holds(size, md5):
            return
        # The checksum of a listing is another one where the stage encrypts in the client.
        if found is not None and found.size == size and _lies_there(session, stage, path, md5):
            return
    raise _altered()


def get(session: Session, stage: str, path: str, folder: Path) -> Path | None:
    """Download a path into a private folder; None where there is no such file.

    Raises:
        StoreUnavailableError: What arrives differs from what is listed, again and again.
    """
    before = (-1, "")
    listed, pattern = _look(session, stage, path)
    for _ in range(_ROUNDS):
        if listed is None:
            return None
        file = _download(session, stage, path, pattern, folder)
        now = before if file is None else _digest_of(file)
        if file is not None and listed.holds(*now):
            return file
        after, pattern = _look(session, stage, path)
        # Either it was replaced meanwhile, or the listing's checksum is not that of the bytes.
        is_told_otherwise = now == before and after == listed
        if file is not None and after is not None and (after.holds(*now) or is_told_otherwise):
            return file
        before, listed = now, after
    raise _altered()


def remove(session: Session, stage: str, path: str) -> None:
    """Remove exactly this path, if it is there."""
    listed, pattern = _look(session, stage, path)
    if listed is not None:
        session.file.remove(f"'@{stage}/{path}'", pattern=pattern)


def _look(session: Session, stage: str, path: str) -> tuple[Entry | None, str]:
    """What lies at exactly this path, and the pattern that GET and REMOVE find nothing else by."""
    found = entries(session, stage, path)
    return next((item for item in found if item.path == path), None), _pattern(path, found)


def _download(session: Session, stage: str, path: str, pattern: str, folder: Path) -> Path | None:
    file = folder / path.rpartition("/")[2]
    file.unlink(missing_ok=True)
    try:
        session.file.get(f"'@{stage}/{path}'", str(folder), parallel=1, pattern=pattern)
    except Exception as error:
        if number_of(error) == _FILE_NOT_THERE:
            return None
        raise
    return file if file.is_file() else None


def _pattern(path: str, found: list[Entry]) -> str:
    """Of GET and REMOVE, which take a path for a prefix and folders for nothing.

    The last part of the path suffices, however much of a path the server compares, unless another
    file below the prefix ends in it too: then all of it, behind the name of the stage.
    """
    last = path.rpartition("/")[2]
    if all(entry.path == path or not entry.path.endswith(f"/{last}") for entry in found):
        return f"(.*/)?{_literal(last)}"
    return f"([^/]+/)?{_literal(path)}"


def _literal(text: str) -> str:
    """Of what spelled names hold, only the dot means something in a pattern."""
    return text.replace(".", "[.]")


def _lies_there(session: Session, stage: str, path: str, md5: str) -> bool:
    with TemporaryDirectory() as folder:
        _, pattern = _look(session, stage, path)
        file = _download(session, stage, path, pattern, Path(folder))
        return file is not None and _digest_of(file)[1] == md5


def _digest_of(file: Path) -> tuple[int, str]:
    with file.open("rb") as stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> tuple[int, str]:
    """Size in bytes and MD5, which is what stages tell of a file."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _altered() -> StoreUnavailableError:
    msg = "a file on the stage has the size and checksum of what was sent"
    return StoreUnavailableError(msg, mend="let only one writer replace a file at a time")
