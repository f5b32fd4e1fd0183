"""The fields of an evaluated case as tables in a terminal show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lungreg.metrics.measures.measure import Measure, Reported


@dataclass(frozen=True, kw_only=True)
class Column:
    """One field: its unit, its decimals, and what it holds."""

    unit: str
    brief: str
    """For people, in at most 65 characters, without a full stop."""
    decimals: int | None = None
    """None for words."""

    def number(self, value: object) -> str:
        """A value with its decimals, in letters that every console has."""
        counted = isinstance(value, int | float) and self.decimals is not None
        return f"{value:.{self.decimals}f}" if counted else str(value)

    def text(self, value: object) -> str:
        """A value with its decimals and unit, such as "1.23 mm"."""
        return f"{self.number(value)} {self.unit}".rstrip()


def columns(measures: Iterable[Measure], words: Iterable[Reported]) -> Mapping[str, Column]:
    """By field: each measure, behind it the same before registration; then the words."""
    found = {
        field: Column(unit=measure.unit, brief=brief, decimals=measure.decimals)
        for measure in measures
        for field, brief in measure.fields().items()
    }
    return found | {word.name: Column(unit="", brief=word.brief) for word in words}
