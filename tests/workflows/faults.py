"""Stages that kill whoever reads from them. Workers import this module, so it must stay light."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lungreg.backends.local.stage import LocalStage

EVER = range(1, 10**6)


@dataclass(frozen=True)
class KillingStage(LocalStage):
    """A folder stage; chosen reads of some files kill the reading process with SIGKILL."""

    tally: Path = field(kw_only=True)
    """Local folder with a byte for each read of such a file so far, by any process."""
    deadly: Mapping[str, Container[int]] = field(kw_only=True)
    """Which reads kill, from 1 on, by name of the file."""
    wrecks: Path | None = field(default=None, kw_only=True)
    """Whatever is in this folder goes with the process."""

    readers: Path | None = field(default=None, kw_only=True)
    """Local folder with a file for each process that has read a scan."""

    def read(self, name: str) -> bytes:
        """The bytes of a file, if one lives to see them."""
        if self.readers is not None and name.startswith("scans"):
            self.readers.mkdir(exist_ok=True)
            (self.readers / str(os.getpid())).touch()
        if name in self.deadly and self._add(name) in self.deadly[name]:
            for folder in self.wrecks.iterdir() if self.wrecks else ():
                shutil.rmtree(folder)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(name)

    def count(self, name: str) -> int:
        """How often a deadly file has been read."""
        file = self._tally_file(name)
        return file.stat().st_size if file.exists() else 0

    def _add(self, name: str) -> int:
        file = self._tally_file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab", buffering=0) as stream:
            stream.write(b".")
        return self.count(name)

    def _tally_file(self, name: str) -> Path:
        return self.tally / name.replace("/", "_")
