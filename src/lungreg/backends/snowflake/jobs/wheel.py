"""The running installation of lungreg as a wheel again, so that a job runs the same code."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

from lungreg.errors import RunError

_PACKAGE = "lungreg"
_KEPT_METADATA = ("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_wheel(folder: Path) -> Path:
    """Pack the package that this process runs, and its metadata.

    Neither a source tree nor a build tool is needed: the files are those that are imported, of
    a wheel as of an editable installation.

    Args:
        folder: Where the wheel goes.

    Returns:
        The wheel. The same installation gives the same bytes.

    Raises:
        RunError: The package is not installed as files, or without metadata.
    """
    try:
        installed = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        msg = "a job is sent the installed lungreg"
        raise RunError(msg, got="one without metadata", mend="install it with pip") from error
    info = f"{_PACKAGE}-{installed.version}.dist-info"
    wheel = folder / f"{_PACKAGE}-{installed.version}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (*_code(), *_metadata(installed, info)):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
            record.append(f"{name},sha256={_digest(data)},{len(data)}")
        record.append(f"{info}/RECORD,,")
        listed = "\n".join(record) + "\n"
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _EPOCH), listed, zipfile.ZIP_DEFLATED)
    return wheel


def _code() -> Iterator[tuple[str, bytes]]:
    root = resources.files(_PACKAGE)
    if not isinstance(root, Path):
        msg = "a job is sent the installed lungreg, which lies in a folder"
        raise RunError(msg, got=type(root).__name__, mend="install it with pip")
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        if file.is_file() and "__pycache__" not in inside.parts:
            yield f"{_PACKAGE}/{inside.as_posix()}", file.read_bytes()


def _metadata(installed: metadata.Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    for name in _KEPT_METADATA:
        text = installed.read_text(name)
        if text is not None:
            yield f"{info}/{name}", text.encode()


def _digest(data: bytes) -> str:
    """SHA-256 as a wheel's RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
