"""The output folder of `-o`: check that it can be written, remove files of an earlier call."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

from lungreg.errors import RunError, StoreUnavailableError
from lungreg.stores import Stage
from lungreg.stores.names import INPUTS_FILE


def require_writable(folder: Path) -> None:
    """Refuse a folder that could not be written, and leave no trace in it or above it.

    Args:
        folder: It need not exist.

    Raises:
        StoreUnavailableError: It is a file, lies below one, or may not be written.
    """
    try:
        # What does not exist yet comes into being in the nearest folder that does.
        place = next(
            path for path in (folder, *folder.parents) if path.is_symlink() or path.exists()
        )
        if not place.is_dir():
            kind = "a file" if place.exists() else "a link to nothing"
            raise _refused(kind if place == folder else f"{kind} above it", folder)
        # Permissions alone do not show that a disk is full or mounted read-only.
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise _refused(error.strerror or type(error).__name__, folder) from error


def remove_old(stage: Stage, names: Collection[str], *, keep: Collection[str]) -> None:
    """Remove files that an earlier call wrote and this one does not: they would look like its own.

    Args:
        stage: The output folder.
        names: All that may be left.
        keep: Of them, what is about to be replaced.
    """
    for name in sorted(set(names) - set(keep)):
        stage.delete(name)


def holds_earlier_results(folder: Path) -> bool:
    """Whether an earlier `register` wrote to the folder; False for a new or an empty one.

    Args:
        folder: It need not exist.

    Raises:
        RunError: It holds files, and `register` has not written there: they may be anybody's.
    """
    if (folder / INPUTS_FILE).is_file():
        return True
    if any(not name.startswith(".") for name in _names(folder)):
        msg = "register writes to a new or empty folder, or to one with results of its own"
        got = f"one with other files, without {INPUTS_FILE}"
        raise RunError(msg, got=got, mend="name another with -o", where=folder)
    return False


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:  # none there, or no folder: `require_writable` says so
        return []


def _refused(got: str, folder: Path) -> StoreUnavailableError:
    msg = "the output folder can be written"
    return StoreUnavailableError(msg, got=got, mend="name another with -o", where=folder)
