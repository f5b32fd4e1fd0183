"""The new lines of a log that can only be fetched as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_KEPT = 10_000
"""Lines that are remembered: far more than the service keeps of a log."""


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
        self._shown = (self._shown + new)[-_KEPT:]
        return new

    def _overlap(self, lines: list[str]) -> int:
        """How many lines at the front of the log were the last ones shown.

        The first one may be cut at its front, so that its end is compared.
        """
        most = min(len(self._shown), len(lines))
        for count in range(most, 0, -1):
            if count > 1 and self._shown[-1] != lines[count - 1]:
                continue
            last = self._shown[-count:]
            if last[1:] == lines[1:count] and last[0].endswith(lines[0]):
                return count
        return 0
