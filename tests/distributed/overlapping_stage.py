"""A stage whose writes wait for reads. Workers import this module, so it must stay light."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lungreg.backends.local.stage import LocalStage

WAIT_S = 60.0


@dataclass(frozen=True)
class OverlappingStage(LocalStage):
    """A folder stage; the first file of a case to be written waits until a second case is read."""

    readers: Path = field(kw_only=True)
    """Local folder with a file for each case whose scan has been read."""

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        if name.startswith("scansInsp/"):
            (self.readers / Path(name).name).touch()
        return super().read(name)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, the first ones of a run late."""
        until = time.monotonic() + WAIT_S
        while "/cases/" in name and len(list(self.readers.iterdir())) < 2:
            if time.monotonic() > until:
                msg = "no other case was read meanwhile"
                raise TimeoutError(msg)
            time.sleep(0.02)
        super().write(name, data)
