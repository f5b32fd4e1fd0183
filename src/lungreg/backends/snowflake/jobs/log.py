"""The new lines of a log that can only be fetched as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class LogTail:
    """Remembers what has been shown.

    The service keeps the end of a long log only, so that what was shown may have left it at the
    front; and its last line may still be in the writing.
    """

    _shown: list[str] = field(default_factory=list)

    def new_lines(self, lines: Sequence[str], *, ended: bool) -> list[str]:
        """What has come since the last call.

        Args:
            lines: The log as it is now.
            ended: Whether the last line is complete.
        """
        whole = list(lines if ended else lines[:-1])
        new = whole[self._overlap(whole) :]
        self._shown += new
        return new

    def _overlap(self, lines: list[str]) -> int:
        """How many lines at the front of the log were the last ones shown."""
        most = min(len(self._shown), len(lines))
        for count in range(most, 0, -1):
            if self._shown[-count:] == lines[:count]:
                return count
        return 0
