"""Pack the installed lungreg as a wheel, so that a job runs the same code."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from lungreg.backends.snowflake.installed import PACKAGE, add_file, package_files
from lungreg.errors import RunError

_KEPT_METADATA = ("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE")


def write_wheel(folder: Path) -> Path:
    """Pack the package that this process runs, and its metadata.

    No source tree and no build tool is needed: the files are those that are imported, whether
    lungreg was installed from a wheel or is an editable installation.

    Args:
        folder: Where the wheel goes.

    Returns:
        The wheel. The same installation gives the same bytes.

    Raises:
        RunError: The package is not installed as files, or without metadata.
    """
    try:
        installed = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        msg = "a job is sent the installed lungreg"
        raise RunError(msg, got="one without metadata", mend="install it with pip") from error
    info = f"{PACKAGE}-{installed.version}.dist-info"
    wheel = folder / f"{PACKAGE}-{installed.version}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in (*package_files(), *_metadata(installed, info)):
            add_file(archive, name, data)
            record.append(f"{name},sha256={_digest(data)},{len(data)}")
        record.append(f"{info}/RECORD,,")
        add_file(archive, f"{info}/RECORD", ("\n".join(record) + "\n").encode())
    return wheel


def _metadata(installed: metadata.Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    for name in _KEPT_METADATA:
        text = installed.read_text(name)
        if text is not None:
            yield f"{info}/{name}", text.encode()


def _digest(data: bytes) -> str:
    """SHA-256 as a wheel's RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
