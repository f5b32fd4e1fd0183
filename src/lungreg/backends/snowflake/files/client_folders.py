"""Where Snowflake's client puts what it makes of a file under way, and that nothing stays there.

For each file the client makes a folder in the common temporary one, and after a download it
leaves it: a cohort of a million cases would leave millions. It asks for no place to make it in,
so its module is given a `mkdtemp` that makes folders below one of ours, for this thread only.
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
    """The module `tempfile`, whose folders lie below this thread's place where it has one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tempfile, name)

    def mkdtemp(self) -> str:
        """Make a folder that only this user can read."""
        return tempfile.mkdtemp(dir=getattr(_places, "folder", None))


@contextmanager
def client_folders_removed() -> Iterator[None]:
    """Remove afterwards what folders the client makes in this thread."""
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
