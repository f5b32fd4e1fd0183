"""The measures of a result as pages show them; what they mean stands in `metrics.measures`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lungreg.metrics.measures import Measure
from lungreg.metrics.rules import thresholds_of
from lungreg.records import CaseMetrics, CaseResult, Split, Status, Verdict, verdict_words

HEADLINE = (Split.TEST, Split.UNSEEN)
"""Splits of cases that the model was not trained on."""
STATES = {"pass": "pass", "warn": "warn", "fail": "fail", "failed": "not registered"}
"""The results of `state`, each with the words shown for it."""


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
    return {
        verdict.value: thresholds[key]
        for verdict, key in thresholds_of(measure.name)
        if key in thresholds
    }
