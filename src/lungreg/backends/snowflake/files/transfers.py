"""Upload and download single files of a stage, and check size and checksum on arrival.

`get_stream` is not used: it downloads to a file of the same base name in the system's temporary
folder, where two readers get each other's bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.faults import number_of
from lungreg.backends.snowflake.files.checksums import Digest, Open, digest_of, is_listed
from lungreg.backends.snowflake.files.listing import Entry, entries, entry_of, reference
from lungreg.errors import StoreUnavailableError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_ROUNDS = 8
_FILE_NOT_THERE = 253006
_SPECIAL = re.compile(r"([.+*?(){}|$])|([\^\[\]\\'])")


def put(session: Session, stage: str, path: str, source: Open, parallel: int) -> None:
    """Upload to a path, replacing what is there; the file appears at once and complete.

    Raises:
        StoreUnavailableError: The file on the stage differs from what was sent each time.
    """
    sent = digest_of(source)
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
        if found is not None and is_listed(found, sent, source):
            return
        # No listed checksum can be compared after parts of unknown sizes, or encryption.
        if (
            found is not None
            and found.size == sent.size
            and _lies_there(session, stage, path, sent)
        ):
            return
    raise _altered()


def get(session: Session, stage: str, path: str, folder: Path) -> Path | None:
    """Download a path into a private folder; None where there is no such file.

    Where the listed checksum is not that of the bytes, two equal downloads are accepted.

    Raises:
        StoreUnavailableError: The bytes differ from the listing each time.
    """
    before = None
    listed, pattern = _look(session, stage, path)
    for _ in range(_ROUNDS):
        if listed is None:
            return None
        file = _download(session, stage, path, pattern, folder)
        if file is None:
            before = None
            listed, pattern = _look(session, stage, path)
            continue
        opened = _reader(file)
        now = digest_of(opened)
        if is_listed(listed, now, opened):
            return file
        after, pattern = _look(session, stage, path)
        # Either it was replaced meanwhile, or the listed checksum is not that of the bytes.
        is_unchanged = now == before and after == listed
        if after is not None and (is_unchanged or is_listed(after, now, opened)):
            return file
        before, listed = now, after
    raise _altered()


def remove(session: Session, stage: str, path: str) -> None:
    """Remove exactly this path, if it is there."""
    listed, pattern = _look(session, stage, path)
    if listed is not None:
        session.file.remove(reference(stage, path), pattern=pattern)


def remove_all(session: Session, stage: str, prefix: str) -> None:
    """Remove every path that begins with a prefix."""
    session.file.remove(reference(stage, prefix))


def _look(session: Session, stage: str, path: str) -> tuple[Entry | None, str]:
    """The file at exactly this path, and a pattern by which GET and REMOVE find no other."""
    found = entries(session, stage, path)
    return next((item for item in found if item.path == path), None), _pattern(path, found)


def _download(session: Session, stage: str, path: str, pattern: str, folder: Path) -> Path | None:
    file = folder / path.rpartition("/")[2]
    file.unlink(missing_ok=True)
    try:
        session.file.get(reference(stage, path), str(folder), parallel=1, pattern=pattern)
    except Exception as error:
        if number_of(error) == _FILE_NOT_THERE:
            return None
        raise
    return file if file.is_file() else None


def _pattern(path: str, found: list[Entry]) -> str:
    """A pattern for exactly one path: GET and REMOVE alone would take the path for a prefix.

    The last part of the path is enough, however much of a path the server compares, unless another
    file below the prefix ends in it too: then the whole path, behind the name of the stage.
    """
    last = path.rpartition("/")[2]
    if all(entry.path == path or not entry.path.endswith(f"/{last}") for entry in found):
        return f"^(.*/)?{_literal(last)}$"
    return f"^([^/]+/)?{_literal(path)}$"


def _literal(text: str) -> str:
    """Text in a pattern: special characters as a class of one, or as any where that fails."""
    return _SPECIAL.sub(lambda found: f"[{found[1]}]" if found[1] else ".", text)


def _lies_there(session: Session, stage: str, path: str, sent: Digest) -> bool:
    with TemporaryDirectory() as folder:
        _, pattern = _look(session, stage, path)
        file = _download(session, stage, path, pattern, Path(folder))
        return file is not None and digest_of(_reader(file)) == sent


def _reader(file: Path) -> Open:
    return lambda: file.open("rb")


def _altered() -> StoreUnavailableError:
    msg = "a file on the stage has the size and checksum of what was sent"
    return StoreUnavailableError(msg, mend="let only one writer replace a file at a time")
