"""One measure: how it is shown, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT = "\N{EN DASH}"
"""Shown for a number that a case lacks."""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """Something that is reported of a registered case, and all that is said about it."""

    name: str
    """Field of `CaseMetrics`, `Evidence`, `CaseEvaluation` or `CaseResult`."""
    label: str
    unit: str = ""
    """As shown behind a number; empty for a number without unit, and for words."""
    brief: str
    """For a line of a table in a terminal: at most 65 characters, without a full stop."""
    says: str
    """What it is, in one to three sentences for people who do not know it."""
    formula: str
    """With `T` the transform, `F` and `M` the fixed lungs and the moving lungs carried by `T`, `f`
    and `w` the fixed and the warped image in the lungs; empty for words."""
    source: str
    """Where it comes from, publications with their DOI."""
    typical: str
    """Values to expect of a good registration, the middle four fifths of those that the calibration
    measured (`tests/varied/results`) wherever it did, behind a semicolon what else is known; empty
    for words. A test compares."""
    bad: str
    """What a bad value means, and what to look at."""


@dataclass(frozen=True, kw_only=True)
class Measure(Reported):
    """A number that is reported of a registered case."""

    short: str
    """Column heading."""
    decimals: int
    higher_is_better: bool | None = None
    """None where neither is."""
    initial: str | None = None
    """Field with the same measure by the headers alone."""
    aligned: str | None = None
    """Field with the same measure after the initial alignment: before registration."""

    def text(self, number: float | None) -> str:
        """A number with this measure's decimals, or an en dash."""
        if number is None:
            return ABSENT
        return f"{number:.{self.decimals}f}".replace("-", "\N{MINUS SIGN}")

    @property
    def heading(self) -> str:
        """The label with its unit, such as "Landmark error, median, mm"."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def fields(self) -> dict[str, str]:
        """The fields that hold this measure, each with what it holds in brief."""
        found = {self.name: self.brief}
        if self.initial:
            found[self.initial] = f"{self.name} by the headers alone"
        if self.aligned:
            found[self.aligned] = f"{self.name} after the initial alignment, before registration"
        return found
