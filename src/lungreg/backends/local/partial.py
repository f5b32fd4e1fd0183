"""Write a file under a partial name, then rename it, so that it appears complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL_PREFIX = ".lungreg-partial-"
"""Begins the names of files being written. A killed process leaves one behind, never listed."""


def partial_name() -> str:
    """A file name that no other writer uses."""
    return f"{PARTIAL_PREFIX}{uuid.uuid4().hex}"


def is_partial(name: str) -> bool:
    """Whether a name is that of a file being written."""
    return name.rpartition("/")[2].startswith(PARTIAL_PREFIX)


@contextmanager
def partial_beside(target: Path) -> Iterator[Path]:
    """A free path in the target's folder, which is made; a file left there is removed afterwards.

    Raises:
        OSError: The folder cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.parent / partial_name()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def link_new(partial: Path, target: Path) -> None:
    """Give a complete file its name, if no other file has it.

    Raises:
        FileExistsError: The name is taken.
        OSError: The file system refuses.
    """
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems (exFAT, some network shares) have no hard links.
        _copy_new(partial, target)


def _copy_new(partial: Path, target: Path) -> None:
    with target.open("xb") as handle:
        try:
            handle.write(partial.read_bytes())
        except BaseException:
            target.unlink(missing_ok=True)
            raise
