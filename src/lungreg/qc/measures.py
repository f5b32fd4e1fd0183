"""How each metric is shown: label, unit, decimals, whether higher is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lungreg.records import CaseMetrics, CaseResult, Split, Status, Verdict, verdict_words

ABSENT = "\N{EN DASH}"
HEADLINE = (Split.TEST, Split.UNSEEN)
"""Splits of cases that the model was not trained on."""
STATES = {"pass": "pass", "warn": "warn", "fail": "fail", "failed": "not registered"}
"""The results of `state`, each with the words shown for it."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One metric of `CaseMetrics` and how to show it."""

    name: str
    """Field of `CaseMetrics`."""
    label: str
    short: str
    """Column heading."""
    unit: str = ""
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


DICE = Measure(
    name="dice_score",
    label="Lung overlap (Dice)",
    short="Dice",
    decimals=3,
    higher_is_better=True,
    initial="dice_initial",
    aligned="dice_aligned",
)
TRE = Measure(
    name="tre_mm",
    label="Landmark error (TRE), mean",
    short="TRE",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    initial="tre_initial_mm",
    aligned="tre_aligned_mm",
)
ETRE = Measure(
    name="etre_mm",
    label="Estimated landmark error, mean",
    short="Estimated",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    aligned="etre_aligned_mm",
)
FOLDS = Measure(
    name="fold_pct",
    label="Folded voxels in the lungs",
    short="Folded",
    unit="%",
    decimals=3,
    higher_is_better=False,
)
NCC = Measure(
    name="ncc",
    label="Correlation in the lungs (NCC)",
    short="NCC",
    decimals=3,
    higher_is_better=True,
)
MEASURES: tuple[Measure, ...] = (
    DICE,
    TRE,
    Measure(
        name="tre_median_mm",
        label="Landmark error, median",
        short="TRE median",
        unit="mm",
        decimals=2,
        higher_is_better=False,
    ),
    Measure(
        name="tre_p95_mm",
        label="Landmark error, 95th percentile",
        short="TRE 95 %",
        unit="mm",
        decimals=2,
        higher_is_better=False,
    ),
    ETRE,
    Measure(
        name="etre_median_mm",
        label="Estimated landmark error, median",
        short="Estimated median",
        unit="mm",
        decimals=2,
        higher_is_better=False,
    ),
    Measure(
        name="etre_p95_mm",
        label="Estimated landmark error, 95th percentile",
        short="Estimated 95 %",
        unit="mm",
        decimals=2,
        higher_is_better=False,
    ),
    Measure(
        name="etre_found_pct",
        label="Distinctive places that found a partner",
        short="Found",
        unit="%",
        decimals=1,
        higher_is_better=True,
    ),
    Measure(
        name="hd95_mm",
        label="Lung surface distance, 95th percentile",
        short="HD95",
        unit="mm",
        decimals=2,
        higher_is_better=False,
    ),
    NCC,
    Measure(
        name="ssim_score",
        label="Structural similarity in the lungs (SSIM)",
        short="SSIM",
        decimals=3,
        higher_is_better=True,
    ),
    FOLDS,
    Measure(name="jacobian_min", label="Jacobian, smallest", short="J min", decimals=2),
    Measure(name="jacobian_max", label="Jacobian, largest", short="J max", decimals=2),
    Measure(
        name="sdlogj",
        label="Standard deviation of log Jacobian",
        short="SD log J",
        decimals=3,
        higher_is_better=False,
    ),
    Measure(
        name="outside_fov_pct",
        label="Outside the moving scan",
        short="Outside",
        unit="%",
        decimals=1,
        higher_is_better=False,
    ),
)
"""In the order of the tables."""


def number(result: CaseMetrics, name: str | None) -> float | None:
    """A metric by its field's name; None for None, for no name and for what is not finite."""
    value = None if name is None else getattr(result, name)
    return float(value) if value is not None and math.isfinite(value) else None


def numbers(results: Sequence[CaseResult], name: str | None) -> list[float]:
    """A metric of the results that have it, in their order."""
    found = (number(result, name) for result in results)
    return [value for value in found if value is not None]


def state(result: CaseResult) -> str:
    """The state of a case: "pass", "warn", "fail", or "failed" (not registered)."""
    if result.status is Status.FAILED:
        return "failed"
    return "fail" if result.verdict is Verdict.REJECT else result.verdict.value


def words(result: CaseResult) -> str:
    """The state of a case as people read it: "pass (estimated)", "fail", "not registered"."""
    return verdict_words(result.status, state(result), result.evidence)


def limits(thresholds: Mapping[str, float], measure: Measure) -> dict[str, float]:
    """Thresholds of one measure under "warn" and "fail".

    Args:
        thresholds: By the names of the config's `quality`: `dice_warn`, `tre_fail_mm`, ...
        measure: Whose limits are wanted.
    """
    found = {}
    for name, threshold in thresholds.items():
        for level in ("warn", "fail"):
            stem = "_".join(part for part in name.split("_") if part != level)
            if f"_{level}" in name and measure.name in (stem, f"{stem}_score"):
                found[level] = threshold
    return found
