"""A stage where workers wait for each other. They import this module, so it must stay light."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from lungreg.backends.local.stage import LocalStage

WAIT_S = 120.0


@dataclass(frozen=True)
class MeetingStage(LocalStage):
    """A folder stage; a scan is read once so many processes want one: all of them get a case."""

    readers: Path = field(kw_only=True)
    """Local folder with a file for each process that has wanted a scan."""
    processes: int = field(kw_only=True)

    def read(self, name: str) -> bytes:
        """The bytes of a file; those of a scan once the processes have met."""
        if name.startswith("scansInsp/"):
            (self.readers / str(os.getpid())).touch()
            until = time.monotonic() + WAIT_S
            while len(list(self.readers.iterdir())) < self.processes and time.monotonic() < until:
                time.sleep(0.1)
        return super().read(name)
