"""Remove the temporary folders that Snowflake's client makes for each file it transfers.

After a download the client leaves its folder in the system's temporary folder: a cohort of a
million cases would leave millions. It has no option for another place, so the `tempfile` of its
module is replaced by one whose `mkdtemp` makes folders below one of ours, for this thread only.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

_places = threading.local()


class _TemporaryFiles:
    """The module `tempfile`, whose folders are made below that of this thread, if it has one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tempfile, name)

    def mkdtemp(self) -> str:
        """Make a folder that only this user can read."""
        return tempfile.mkdtemp(dir=getattr(_places, "folder", None))


@contextmanager
def client_folders_removed() -> Iterator[None]:
    """Remove after the block all folders that the client has made in this thread."""
    from snowflake.connector import storage_client

    client: Any = storage_client
    if not isinstance(client.tempfile, _TemporaryFiles):
        client.tempfile = _TemporaryFiles()
    with TemporaryDirectory() as folder:
        _places.folder = folder
        try:
            yield
        finally:
            del _places.folder
