"""Files written to a folder of this machine: whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path

from lungreg.errors import RunError


def write_file(path: Path, data: bytes) -> None:
    """Write or replace a file; folders come into being, and a failed write leaves nothing.

    Raises:
        RunError: The folder is full, forbidden, or a file.
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
        msg = "the output can be written"
        raise RunError(msg, got=error.strerror or type(error).__name__, where=path) from error
