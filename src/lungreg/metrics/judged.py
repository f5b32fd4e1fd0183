"""What a verdict is found from, and what a rule finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from lungreg.config import Quality
from lungreg.records import CaseMetrics, Evidence, Verdict


class Finding(NamedTuple):
    """One measure beyond its threshold."""

    verdict: Verdict
    """Warn or fail."""
    reason: str
    """In words, such as "Dice 0.86 is below 0.88"."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule that is more than one measure beside a threshold."""

    verdict: Verdict
    """Of its finding, at the worst."""
    says: str
    """When it finds something, in words; "{key}" stands for a threshold of `quality`."""
    find: Callable[[Judged], Finding | None]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a verdict is found from."""

    metrics: CaseMetrics
    evidence: Evidence
    thresholds: Quality

    @property
    def rests_on(self) -> str | None:
        """The strongest evidence on the inside of the lungs; see `Judgement.evidence`.

        "estimated" also where too few places found a partner to tell an error: that is known then.
        """
        landmarks = self.evidence.landmarks or 0
        if self.metrics.tre_mm is not None and landmarks >= self.thresholds.landmarks_enough:
            return "landmarks"
        metrics = self.metrics
        looked_for = metrics.etre_mm is not None or metrics.etre_found_pct is not None
        if looked_for and self.has_places:
            return "estimated"
        return None if self.metrics.dice_score is None else "masks"

    @property
    def knows_error(self) -> bool:
        """Whether landmarks or estimated errors tell of the inside of the lungs."""
        if self.rests_on == "estimated":
            return self.metrics.etre_mm is not None
        return self.rests_on == "landmarks"

    @property
    def has_places(self) -> bool:
        """Whether enough places find a partner to estimate an error from them."""
        return (self.evidence.etre_places or 0) >= self.thresholds.etre_places_warn

    @property
    def errors(self) -> list[tuple[str, float, float, float]]:
        """The error that the case rests on: its name, value, value before, limit of a pass, mm."""
        found = {
            "landmarks": (
                "mean landmark error",
                self.metrics.tre_mm,
                self.metrics.tre_aligned_mm,
                self.thresholds.tre_warn_mm,
            ),
            "estimated": (
                "mean estimated landmark error",
                self.metrics.etre_mm,
                self.metrics.etre_aligned_mm,
                self.thresholds.etre_warn_mm,
            ),
        }
        what, after, before, limit = found.get(self.rests_on or "", ("", None, None, 0.0))
        return [] if after is None or before is None else [(what, after, before, limit)]
