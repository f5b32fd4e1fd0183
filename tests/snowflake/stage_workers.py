"""What other processes do with a stage in its tests."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from typing import Any


def wrong_reads(barrier: Barrier, stage: Any, names: Sequence[str], rounds: int) -> list[str]:
    """Names whose bytes were not the name itself."""
    barrier.wait(timeout=60)
    return [name for _ in range(rounds) for name in names if stage.read(name) != name.encode()]
