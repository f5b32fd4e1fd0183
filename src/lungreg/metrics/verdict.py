"""Verdicts (pass, warn, fail) of metrics against thresholds, with reasons in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lungreg.config import Quality
from lungreg.records import CaseMetrics, Evidence, Verdict

_ORDER = (Verdict.PASS, Verdict.WARN, Verdict.FAIL)
_NO_EVIDENCE = Evidence()


class Finding(NamedTuple):
    """One measure beyond its threshold."""

    verdict: Verdict
    """Warn or fail."""
    reason: str
    """In words, such as "Dice 0.86 is below 0.88"."""


def judge(metrics: CaseMetrics, thresholds: Quality, evidence: Evidence = _NO_EVIDENCE) -> Verdict:
    """The verdict of a registered case: the worst of those of its metrics.

    A metric that the case does not have is not judged, but for the correlation inside the lungs:
    it is missing only where an image is constant there, which no good registration leaves.
    Evidence counts only where the case has neither masks nor landmarks.
    """
    found = (finding.verdict for finding in findings(metrics, thresholds, evidence))
    return max(found, key=_ORDER.index, default=Verdict.PASS)


def explain(
    metrics: CaseMetrics, thresholds: Quality, evidence: Evidence = _NO_EVIDENCE
) -> list[str]:
    """The reasons in words why `judge` does not say "pass", failures first; empty if it does."""
    return [finding.reason for finding in findings(metrics, thresholds, evidence)]


def findings(
    metrics: CaseMetrics, thresholds: Quality, evidence: Evidence = _NO_EVIDENCE
) -> list[Finding]:
    """All measures beyond their thresholds, failures first."""
    found = list(_of_metrics(metrics, thresholds))
    if metrics.dice_score is None and metrics.tre_mm is None:
        found += _of_evidence(evidence, thresholds)
    return sorted(found, key=lambda finding: -_ORDER.index(finding.verdict))


def _of_metrics(metrics: CaseMetrics, limits: Quality) -> Iterator[Finding]:
    yield from _below("Dice", metrics.dice_score, limits.dice_warn, limits.dice_fail)
    yield from _above(
        "mean landmark error", metrics.tre_mm, limits.tre_warn_mm, limits.tre_fail_mm, "mm"
    )
    yield from _above(
        "share of folded voxels in the lungs",
        metrics.fold_pct,
        limits.fold_warn_pct,
        limits.fold_fail_pct,
        "%",
    )
    outside = metrics.outside_fov_pct
    yield from _above(
        "share outside the moving scan", outside, limits.outside_fov_warn_pct, None, "%"
    )
    if metrics.ncc is None:
        yield Finding(Verdict.FAIL, "an image is constant inside the lungs")
    yield from _below("correlation inside the lungs", metrics.ncc, None, limits.ncc_fail)


def _of_evidence(evidence: Evidence, limits: Quality) -> Iterator[Finding]:
    yield from _above(
        "residual image difference inside the lungs",
        evidence.residual,
        limits.residual_warn,
        limits.residual_fail,
    )
    yield from _above(
        "mean inverse consistency inside the lungs",
        evidence.inverse_mean_mm,
        limits.inverse_warn_mm,
        limits.inverse_fail_mm,
        "mm",
    )
    ratio = evidence.volume_ratio_jacobian
    yield from _below("volume change of the lungs", ratio, limits.volume_ratio_low, None)
    yield from _above("volume change of the lungs", ratio, limits.volume_ratio_high, None)
    dice = evidence.dice_segmented
    yield from _below(
        "Dice of lungs segmented by threshold", dice, limits.dice_segmented_warn, None
    )


def _below(
    what: str, value: float | None, warn: float | None, fail: float | None
) -> Iterator[Finding]:
    if value is None:
        return
    for verdict, limit in ((Verdict.FAIL, fail), (Verdict.WARN, warn)):
        if limit is not None and value < limit:
            yield Finding(verdict, _sentence(what, value, "below", limit, ""))
            return


def _above(
    what: str, value: float | None, warn: float | None, fail: float | None, unit: str = ""
) -> Iterator[Finding]:
    if value is None:
        return
    for verdict, limit in ((Verdict.FAIL, fail), (Verdict.WARN, warn)):
        if limit is not None and value > limit:
            yield Finding(verdict, _sentence(what, value, "above", limit, unit))
            return


def _sentence(what: str, value: float, side: str, limit: float, unit: str) -> str:
    """The reason, with as many decimals (two to five) as show the value on that side."""
    suffix = f" {unit}" if unit else ""
    for decimals in range(2, 6):
        shown = f"{value:.{decimals}f}"
        if float(shown) != limit:
            break
    return f"{what} {shown}{suffix} is {side} {limit:g}{suffix}"
