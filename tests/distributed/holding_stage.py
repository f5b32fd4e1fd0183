"""A stage where one worker gets stuck. Workers import this module, so it must stay light."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lungreg.backends.local.stage import LocalStage

WAIT_S = 120.0


@dataclass(frozen=True)
class HoldingStage(LocalStage):
    """A folder stage; who is the first to read a file has to wait, and says on which node."""

    held: str = field(kw_only=True)
    """Name of the file."""
    note: Path = field(kw_only=True)
    """Local file with the id of that node of Ray."""

    def read(self, name: str) -> bytes:
        """The bytes of a file; for its first reader much later."""
        if name == self.held and not self.note.exists():
            import ray

            self.note.write_text(ray.get_runtime_context().get_node_id())
            time.sleep(WAIT_S)
        return super().read(name)

    def where(self) -> str:
        """The node on which somebody waits, once somebody does."""
        until = time.monotonic() + WAIT_S
        while not (self.note.exists() and self.note.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        return self.note.read_text()
