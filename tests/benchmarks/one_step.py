"""One step of a case or of training: the reference recipe's way and lungreg's, timed in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Work = Callable[[], object]
_MORE, _FEW_SECONDS = 5, 5.0
"""Short steps are disturbed most by what else runs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What both do, and how."""

    name: str
    lungreg: Work
    recipe: Work | None = None
    """None where the recipe has no such step."""
    differs: str = ""
    """What is not the same work on both sides."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """CPU seconds of a step, of all threads, system time included."""

    step: Step
    lungreg_s: list[float]
    """Of each repetition."""
    recipe_s: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """Median of the recipe over that of lungreg: above 1, lungreg is faster."""
        if not self.recipe_s:
            return None
        return median(self.recipe_s) / median(self.lungreg_s)

    def row(self, command: str) -> dict[str, Any]:
        """As it is kept.

        Args:
            command: That measures this step alone.
        """
        recipe = _rounded([median(self.recipe_s)])[0] if self.recipe_s else None
        return {
            "step": self.step.name,
            "recipe_s": recipe,
            "lungreg_s": _rounded([median(self.lungreg_s)])[0],
            "recipe / lungreg": None if self.ratio is None else round(self.ratio, 2),
            "differs": self.step.differs,
            "runs": {"recipe": _rounded(self.recipe_s), "lungreg": _rounded(self.lungreg_s)},
            "command": command,
        }


def timed(step: Step, repeat: int) -> Timed:
    """Do a step by turns, so that other work on the machine slows both sides alike.

    Args:
        step: Each side is done once before, which compiles what is compiled at the first call.
        repeat: Counted repetitions; of a short step up to five times as many, while they take few
            seconds.
    """
    found = Timed(step=step, lungreg_s=[])
    sides = [(step.recipe, found.recipe_s), (step.lungreg, found.lungreg_s)]
    present = [(work, seconds) for work, seconds in sides if work is not None]
    for work, _ in present:
        work()
    for number in range(_MORE * repeat):
        if number >= repeat and sum(found.recipe_s + found.lungreg_s) > _FEW_SECONDS:
            break
        for work, seconds in present:
            started = time.process_time()
            work()
            seconds.append(time.process_time() - started)
    return found


def _rounded(seconds: list[float]) -> list[float]:
    return [round(value, 4) for value in seconds]
