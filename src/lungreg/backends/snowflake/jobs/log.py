"""Find the new lines of a log that can only be fetched as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_KEPT = 10_000
"""Lines that are remembered: far more than the service stores of a log."""


@dataclass
class LogTail:
    """The lines of a log that have been shown, by which new ones are found.

    The service stores only the end of a long log, so lines that were shown may be gone from its
    front; and its last line may still be incomplete.
    """

    _shown: list[str] = field(default_factory=list)

    def new_lines(self, lines: Sequence[str], *, ended: bool) -> list[str]:
        """The lines since the last call.

        Args:
            lines: The log as it is now.
            ended: Whether the job has ended, so that the last line is complete.
        """
        whole = list(lines if ended else lines[:-1])
        new = whole[self._overlap(whole) :]
        self._shown = (self._shown + new)[-_KEPT:]
        return new

    def _overlap(self, lines: list[str]) -> int:
        """How many lines at the front of the log have been shown already.

        The first line may be cut at its front, so only its end is compared.
        """
        most = min(len(self._shown), len(lines))
        for count in range(most, 0, -1):
            if count > 1 and self._shown[-1] != lines[count - 1]:
                continue
            last = self._shown[-count:]
            if last[1:] == lines[1:count] and last[0].endswith(lines[0]):
                return count
        return 0
