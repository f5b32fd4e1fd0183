"""How often a long count is worth a line of text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_SHARE = 0.05
_INTERVAL_S = 10.0


@dataclass(kw_only=True)
class Pace:
    """Thins out the steps of a count: a line for every 5 % of it, or every 10 s."""

    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    _last: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By name of the count, how far it was at its last line and when that was."""

    def is_due(self, name: str, done: int, total: int | None) -> bool:
        """Whether this step gets a line: also the first, the last, and one that starts again."""
        now = self.clock()
        before, then = self._last.get(name, (done, -math.inf))
        enough = total is not None and done - before >= _SHARE * total
        if enough or done < before or done == total or now - then >= _INTERVAL_S:
            self._last[name] = done, now
            return True
        return False
