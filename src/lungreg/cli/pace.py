"""How often a long count is worth a line of text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_SHARE = 0.05
_LONGEST_S = 10.0
_SHORTEST_S = 1.0


@dataclass(kw_only=True)
class Pace:
    """Thins out the steps of a count: a line every 10 s, or, a second apart, for each 5 % of it."""

    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    _last: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By name of the count, how far it was at its last line and when that was."""

    def is_due(self, name: str, done: int, total: int | None) -> bool:
        """Whether this step gets a line: also the first, the last, and one that starts again."""
        now = self.clock()
        before, then = self._last.get(name, (done, -math.inf))
        enough = total is not None and done - before >= _SHARE * total
        waited_s = now - then
        due = (enough and waited_s >= _SHORTEST_S) or waited_s >= _LONGEST_S
        if due or done < before or done == total:
            self._last[name] = done, now
            return True
        return False
