"""One measure: how it is shown, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT = "\N{EN DASH}"
"""Shown for a number that a case lacks."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that is reported of a registered case, and all that is said about it."""

    name: str
    """Field of `CaseMetrics`, `Evidence`, `CaseEvaluation` or `CaseResult`."""
    label: str
    short: str
    """Column heading."""
    unit: str = ""
    """As shown behind a number; empty for a number without unit."""
    decimals: int
    higher_is_better: bool | None = None
    """None where neither is."""
    initial: str | None = None
    """Field with the same measure by the headers alone."""
    aligned: str | None = None
    """Field with the same measure after the initial alignment: before registration."""
    says: str
    """What it is, in one or two sentences for people who do not know it."""
    formula: str
    """With `T` the transform, `J` the determinant of its Jacobian, `F` and `M` the fixed lungs and
    the moving lungs carried by `T`, `f` and `w` the fixed and the warped image in the lungs."""
    source: str
    """Where the measure comes from."""
    typical: str
    """Values to expect of a good registration: those of landmarks as published, the others as the
    calibration measured them (`tests/varied/results`)."""
    bad: str
    """What a bad value means, and what to look at."""

    def text(self, number: float | None) -> str:
        """A number with this measure's decimals, or an en dash."""
        if number is None:
            return ABSENT
        return f"{number:.{self.decimals}f}".replace("-", "\N{MINUS SIGN}")
