"""The Incoming protocol: files that others have put on a stage of their own for ingest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Incoming(Protocol):
    """Files of a source that lies where the backend does. Only some backends have one.

    Contract:
        - Nothing is changed there: whoever puts files in takes them away.
    """

    def paths(self) -> Sequence[str]:
        """The paths of all files, as their owner has named them, "/" between folders."""

    def fetch(self, path: str, file: Path) -> None:
        """Copy one of `paths` to a local file, whose folder is made."""
