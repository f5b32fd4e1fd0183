"""The installed lungreg, as it is sent to Snowflake: the package's files and its requirements."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata, resources
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from lungreg.errors import RunError

PACKAGE = "lungreg"
_THERE = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
"""The machines of Snowflake, for which markers are decided."""


def package_files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file of the package, such as "lungreg/errors.py", sorted by name.

    Raises:
        RunError: The package is not installed as files.
    """
    root = resources.files(PACKAGE)
    if not isinstance(root, Path):
        msg = "a job is sent the installed lungreg, which lies in a folder"
        raise RunError(msg, got=type(root).__name__, mend="install it with pip")
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        if file.is_file() and "__pycache__" not in inside.parts:
            yield f"{PACKAGE}/{inside.as_posix()}", file.read_bytes()


def add_file(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file to an archive, always with the same date: the same files give the same archive."""
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def requirements_of(
    distribution: str, extras: Iterable[str], python: str | None = None
) -> Iterator[Requirement]:
    """What an installed distribution requires on Snowflake's machines.

    Args:
        distribution: Such as "lungreg".
        extras: Those that are wanted; "" for what is required in any case.
        python: The Python there, such as "3.11"; None for this machine's.
    """
    for text in metadata.requires(distribution) or ():
        req = Requirement(text)
        if req.marker is None or any(_holds(req, extra, python) for extra in extras):
            yield req


def _holds(req: Requirement, extra: str, python: str | None) -> bool:
    its = {"python_version": python, "python_full_version": f"{python}.0"} if python else {}
    there: dict[str, str] = {**default_environment(), **_THERE, **its, "extra": extra}  # type: ignore[dict-item]
    return req.marker is None or req.marker.evaluate(there)
