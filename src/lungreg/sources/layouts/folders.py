"""Find the folder where a layout begins, and list what is visible in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lungreg.errors import DataError

_IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")
_MAX_DEPTH = 3
_SHOWN = 3
"""Names that an error lists."""


def is_ignored(name: str) -> bool:
    """Whether a file name is hidden or left behind by an operating system."""
    return name.startswith(".") or name in _IGNORED


def visible(folder: Path) -> list[Path]:
    """Files and folders in a folder, by name, without those to ignore; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not is_ignored(path.name))


def find_root(folder: Path, is_root: Callable[[Path], bool], rule: str) -> Path:
    """The folder where a layout begins: the one given, or one up to three levels below it.

    Raises:
        DataError: There is none, or several on one level.
    """
    level = [folder]
    for _ in range(_MAX_DEPTH + 1):
        roots = [place for place in level if is_root(place)]
        if len(roots) > 1:
            names = ", ".join(place.name for place in roots[:_SHOWN])
            mend = "give one of them as ingest.source"
            raise DataError(rule, got=f"{len(roots)} such folders", mend=mend, where=names)
        if roots:
            return roots[0]
        level = [path for place in level for path in visible(place) if path.is_dir()]
    raise nothing_found(folder, rule)


def nothing_found(
    folder: Path, rule: str, mend: str = "check ingest.source and ingest.layout"
) -> DataError:
    """The error for a folder without a case: the rule, and what the folder holds."""
    where = f"{folder} (holds {contents(folder)})"
    return DataError(rule, got="no such file", mend=mend, where=where)


def contents(folder: Path) -> str:
    """The first names in a folder, for people."""
    there = [path.name + "/" * path.is_dir() for path in visible(folder)]
    more = ", ..." if len(there) > _SHOWN else ""
    return ", ".join(there[:_SHOWN]) + more if there else "nothing"
