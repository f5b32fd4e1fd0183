"""Try a stage: write, list, read and remove a small file, as far as the role may."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from lungreg.backends.snowflake.check.trial import SESSION, Trial
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files import transfers
from lungreg.backends.snowflake.files.client_folders import client_folders_removed
from lungreg.backends.snowflake.files.directory import refresh_directory
from lungreg.backends.snowflake.files.listing import entries
from lungreg.errors import LungregError, StoreError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_CONTENT = b"lungreg"
FOLDER = "lungreg-check"
"""Of the files that are written, which are removed again."""
Answer = TypeVar("Answer")


def stage_trials(source: SessionSource, stage: str, privileges: str) -> list[Trial]:
    """The rows on a stage.

    Args:
        source: Sessions of the role.
        stage: Full name.
        privileges: What the role needs on it: "READ", or "READ, WRITE".
    """
    name = f"stage {stage.rpartition('.')[2]}"
    if "WRITE" not in privileges:
        return [Trial(name=name, work=partial(_listed, source, stage), needs=(SESSION,))]
    return [
        Trial(name=name, work=partial(_round_trip, source, stage), needs=(SESSION,)),
        Trial(
            name=f"directory of {stage.rpartition('.')[2]}",
            work=partial(_refreshed, source, stage),
            needs=(name,),
            mend=f"ALTER STAGE {stage} SET DIRECTORY = (ENABLE = TRUE)",
        ),
    ]


def _round_trip(source: SessionSource, stage: str) -> str:
    with _written(source, stage) as path, TemporaryDirectory() as folder:
        file = _do(source, lambda session: transfers.get(session, stage, path, Path(folder)))
        if file is None or file.read_bytes() != _CONTENT:
            msg = "a file that was written to a stage is read from it unchanged"
            raise StoreError(msg, got="none" if file is None else "other bytes")
    left = _do(source, lambda session: entries(session, stage, path))
    if left:
        msg = "a file that is removed from a stage is no longer listed"
        raise StoreError(msg, got="it listed", mend=f"REMOVE @{stage}/{FOLDER}/")
    return "written, read, removed"


@contextmanager
def _written(source: SessionSource, stage: str) -> Iterator[str]:
    """Write a file and remove it; yields its path."""
    path = f"{FOLDER}/{secrets.token_hex(6)}.txt"
    _do(source, lambda session: transfers.put(session, stage, path, _opened, 1))
    try:
        yield path
    except LungregError:
        with suppress(LungregError):  # the first error is the one to tell
            _do(source, lambda session: transfers.remove(session, stage, path))
        raise
    _do(source, lambda session: transfers.remove(session, stage, path))


def _listed(source: SessionSource, stage: str) -> str:
    _do(source, lambda session: entries(session, stage, f"{FOLDER}/"))
    return "listed; this role does not write there"


def _refreshed(source: SessionSource, stage: str) -> str:
    refresh_directory(source, stage, FOLDER)
    return "refreshed"


def _opened() -> io.BytesIO:
    return io.BytesIO(_CONTENT)


def _do(source: SessionSource, work: Callable[[Session], Answer]) -> Answer:
    def done(session: Session) -> Answer:
        with client_folders_removed():
            return work(session)

    return source.attempt(done)
