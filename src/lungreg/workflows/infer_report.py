"""What `infer` returns: the rows of a run, and their means by split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lungreg.records import CaseResult, ModelCard, Split, Status
from lungreg.records.summary import Facts, Summary

MEANS = (
    *("tre_mm", "tre_aligned_mm", "etre_mm", "etre_aligned_mm"),
    *("dice_score", "dice_aligned", "fold_pct", "ncc"),
)
"""Measures that means are taken of, the most telling first: what a cohort without masks and
landmarks has is among them."""


ETRE_CASES = "etre_cases"
"""Number of cases whose estimated error is known: one that is lost has none, and no part in a mean.
"""


@dataclass(frozen=True, kw_only=True, repr=False)
class InferReport(Summary):
    """The result of registering a cohort."""

    run_id: str
    card: ModelCard | None
    """The model; None where each pair was registered by itself."""
    results: list[CaseResult]
    """One row per case of the run, by case id, those of a resumed run that were there before
    included; not what another process has written to it meanwhile."""
    seconds: float
    """Wall time of this call."""
    registered: int
    """Cases that this call registered."""
    gpus: int
    """GPUs that took part in this call, each counted once however many workers shared it."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {
            "run_id": self.run_id,
            "model": self.card and f"{self.card.name}:{self.card.version}",
            "cases": len(self.results),
            "failed": len(self.failed),
            "seconds": self.seconds,
        }

    def parts(self) -> Sequence[Facts]:
        """Facts of each case."""
        return [row.facts() for row in self.results]

    @property
    def failed(self) -> list[CaseResult]:
        """Cases that could not be registered."""
        return [row for row in self.results if row.status is Status.FAILED]

    @property
    def gpu_seconds_per_case(self) -> float | None:
        """GPU time allocated per case in seconds; None without a GPU."""
        if not self.gpus or not self.registered:
            return None
        return self.gpus * self.seconds / self.registered

    def means(self) -> dict[str, dict[str, float]]:
        """Means of the main metrics by split, over successful cases that have them."""
        return means_by_split(self.results)


def means_by_split(results: Sequence[CaseResult]) -> dict[str, dict[str, float]]:
    """Means of the main metrics by split: the test and unseen ones are the honest ones."""
    means: dict[str, dict[str, float]] = {}
    for split in Split:
        rows = [r for r in results if r.split is split and r.status is Status.SUCCESS]
        columns = {name: [getattr(row, name) for row in rows] for name in MEANS}
        known = {k: [v for v in values if v is not None] for k, values in columns.items()}
        if rows:
            found = {name: fmean(values) for name, values in known.items() if values}
            counts = {"cases": float(len(rows)), ETRE_CASES: float(len(known["etre_mm"]))}
            means[split.value] = {**counts, **found}
    return means
