"""Verdicts: the worst metric decides, what is missing is not judged."""

from __future__ import annotations

import pytest

from lungreg.config import Quality
from lungreg.quality import judge
from lungreg.records import CaseMetrics, Verdict

GOOD = {
    "dice_score": 0.97,
    "tre_mm": 1.5,
    "fold_pct": 0.0,
    "outside_fov_pct": 5.0,
    "ncc": 0.9,
}


def verdict(**changes: float | None) -> Verdict:
    """Of a good case with some metrics changed, under the default thresholds."""
    return judge(CaseMetrics(**{**GOOD, **changes}), Quality())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Verdict.PASS),
        ({"dice_score": 0.93}, Verdict.PASS),
        ({"dice_score": 0.929}, Verdict.WARN),
        ({"dice_score": 0.88}, Verdict.WARN),
        ({"dice_score": 0.879}, Verdict.FAIL),
        ({"dice_score": 0.0}, Verdict.FAIL),
        ({"tre_mm": 4.0}, Verdict.PASS),
        ({"tre_mm": 4.1}, Verdict.WARN),
        ({"tre_mm": 8.1}, Verdict.FAIL),
        ({"fold_pct": 0.1}, Verdict.PASS),
        ({"fold_pct": 0.2}, Verdict.WARN),
        ({"fold_pct": 1.1}, Verdict.FAIL),
        ({"outside_fov_pct": 31.0}, Verdict.WARN),
        ({"outside_fov_pct": 100.0}, Verdict.WARN),
        ({"ncc": 0.3}, Verdict.PASS),
        ({"ncc": 0.29}, Verdict.FAIL),
        ({"ncc": -0.5}, Verdict.FAIL),
    ],
)
def test_thresholds(changes: dict[str, float], expected: Verdict) -> None:
    """A threshold itself is still good; what is beyond it is not."""
    assert verdict(**changes) is expected


def test_worst_decides() -> None:
    """One failure among warnings fails."""
    assert verdict(dice_score=0.92, tre_mm=5.0) is Verdict.WARN
    assert verdict(dice_score=0.92, tre_mm=5.0, fold_pct=2.0) is Verdict.FAIL


def test_what_a_case_lacks_is_not_judged() -> None:
    """Without masks and landmarks the images alone decide."""
    assert verdict(dice_score=None, tre_mm=None) is Verdict.PASS
    assert verdict(dice_score=None, tre_mm=None, ncc=0.1) is Verdict.FAIL


def test_no_correlation_is_a_failure() -> None:
    """Where the warped image is constant in the lungs, nothing arrived there."""
    assert verdict(ncc=None, dice_score=None) is Verdict.FAIL


def test_thresholds_of_the_run_count() -> None:
    """A stricter run warns where the default passes."""
    strict = Quality(dice_warn=0.99, dice_fail=0.98)
    assert judge(CaseMetrics(**GOOD), strict) is Verdict.FAIL  # type: ignore[arg-type]
