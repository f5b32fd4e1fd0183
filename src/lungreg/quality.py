"""Verdicts from thresholds: can this registration be trusted?"""

from __future__ import annotations

from lungreg.config import Quality
from lungreg.records import CaseMetrics, Verdict


def judge(metrics: CaseMetrics, thresholds: Quality) -> Verdict:
    """The verdict of a registered case: the worst that any of its metrics gives.

    A metric that the case does not have is not judged, but for the correlation inside the lungs:
    it is missing only where an image is constant there, which no good registration leaves.
    """
    ncc = -1.0 if metrics.ncc is None else metrics.ncc
    verdicts = [
        _below(metrics.dice_score, warn=thresholds.dice_warn, fail=thresholds.dice_fail),
        _above(metrics.tre_mm, warn=thresholds.tre_warn_mm, fail=thresholds.tre_fail_mm),
        _above(metrics.fold_pct, warn=thresholds.fold_warn_pct, fail=thresholds.fold_fail_pct),
        _above(metrics.outside_fov_pct, warn=thresholds.outside_fov_warn_pct, fail=None),
        _below(ncc, warn=None, fail=thresholds.ncc_fail),
    ]
    order = (Verdict.PASS, Verdict.WARN, Verdict.FAIL)
    return max(verdicts, key=order.index)


def _below(value: float | None, *, warn: float | None, fail: float | None) -> Verdict:
    if value is None:
        return Verdict.PASS
    return _above(
        -value, warn=None if warn is None else -warn, fail=None if fail is None else -fail
    )


def _above(value: float | None, *, warn: float | None, fail: float | None) -> Verdict:
    if value is None:
        return Verdict.PASS
    if fail is not None and value > fail:
        return Verdict.FAIL
    return Verdict.WARN if warn is not None and value > warn else Verdict.PASS
