"""Stages for users' own tests: one in memory, and one that fails on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lungreg.errors import StoreUnavailableError
from lungreg.stores import FileInfo, Stage
from lungreg.stores.memory_stage import MemoryStage

__all__ = ["FaultyStage", "MemoryStage"]


@dataclass
class FaultyStage:
    """A stage whose calls fail or wait on demand, around any other stage.

    Writes (`write`, `upload`) and reads (`read`, `download`) are counted from 1.
    """

    stage: Stage
    full_on: Container[int] = ()
    """Numbers of the writes that fail as on a full disk: {3}, or `range(3, 10**9)`."""
    down_on: Container[int] = ()
    """Numbers of the reads that fail as in a store that does not answer."""
    slow_s: float = 0.0
    """Wait before each write and read, seconds."""
    only: str = ""
    """Only names that contain it are counted and fail."""
    writes: int = field(default=0, init=False)
    """Counted writes so far, failed ones too."""
    reads: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        self._before_read(name)
        return self.stage.read(name)

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""
        self._before_write(name)
        self.stage.write(name, data)

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path."""
        self._before_read(name)
        self.stage.download(name, path)

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there."""
        self._before_write(name)
        self.stage.upload(path, name)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        self.stage.delete(name)

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""
        return self.stage.exists(name)

    def size(self, name: str) -> int:
        """Size of a file in bytes."""
        return self.stage.size(name)

    def uri(self, name: str) -> str:
        """Where a person finds the file."""
        return self.stage.uri(name)

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder."""
        return self.stage.list(folder)

    def folders(self, folder: str = "") -> Sequence[str]:
        """The folders directly in a folder."""
        return self.stage.folders(folder)

    def _before_write(self, name: str) -> None:
        time.sleep(self.slow_s)
        if self.only in name:
            with self._lock:
                self.writes += 1
                number = self.writes
            if number in self.full_on:
                msg = "the store must have space"
                mend = "free disk space"
                raise StoreUnavailableError(msg, got="a full disk", mend=mend, where=name)

    def _before_read(self, name: str) -> None:
        time.sleep(self.slow_s)
        if self.only in name:
            with self._lock:
                self.reads += 1
                number = self.reads
            if number in self.down_on:
                msg = "the store must answer"
                raise StoreUnavailableError(msg, got="no answer", where=name)
