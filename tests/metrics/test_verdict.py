"""Verdicts: the worst metric decides, what is missing is not judged."""

from __future__ import annotations

import dataclasses
import re

import pytest

from lungreg.config import Quality
from lungreg.metrics.verdict import explain, judge
from lungreg.records import CaseMetrics, Evidence, Verdict

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


BARE = CaseMetrics(**{**GOOD, "dice_score": None, "tre_mm": None})  # type: ignore[arg-type]
DOUBTFUL = Evidence(
    residual=0.95,
    inverse_mean_mm=5.0,
    inverse_max_mm=50.0,
    volume_ratio_jacobian=9.0,
    dice_segmented=0.1,
)


@pytest.mark.parametrize(
    ("changes", "expected", "reason"),
    [
        ({}, Verdict.PASS, None),
        ({"residual": 0.6}, Verdict.PASS, None),
        ({"residual": 0.61}, Verdict.WARN, "residual image difference inside the lungs 0.61 is"),
        ({"residual": 0.75}, Verdict.WARN, "0.75 is above 0.6"),
        ({"residual": 0.76}, Verdict.FAIL, "above 0.75"),
        ({"inverse_mean_mm": 0.5}, Verdict.PASS, None),
        ({"inverse_mean_mm": 0.7}, Verdict.WARN, "inverse consistency .* 0.70 mm is above 0.5 mm"),
        ({"inverse_mean_mm": 2.1}, Verdict.FAIL, "2.10 mm is above 2 mm"),
        ({"inverse_max_mm": 99.0}, Verdict.PASS, None),
        ({"volume_ratio_jacobian": 0.8}, Verdict.PASS, None),
        ({"volume_ratio_jacobian": 0.5}, Verdict.WARN, "volume change .* 0.50 is below 0.8"),
        ({"volume_ratio_jacobian": 4.5}, Verdict.WARN, "volume change .* 4.50 is above 4"),
        ({"dice_segmented": 0.88}, Verdict.PASS, None),
        ({"dice_segmented": 0.1}, Verdict.WARN, "segmented by threshold 0.10 is below 0.88"),
    ],
)
def test_evidence_judges_a_case_without_masks_and_landmarks(
    changes: dict[str, float], expected: Verdict, reason: str | None
) -> None:
    """Each piece has its threshold; what is not known does not count."""
    evidence = Evidence(**changes)
    assert judge(BARE, Quality(), evidence) is expected
    reasons = explain(BARE, Quality(), evidence)
    assert len(reasons) == (0 if reason is None else 1)
    if reason is not None:
        assert re.search(reason, reasons[0])


@pytest.mark.parametrize("known", [{"dice_score": 0.97}, {"tre_mm": 1.0}])
def test_masks_or_landmarks_leave_evidence_aside(known: dict[str, float]) -> None:
    """The better witness decides alone."""
    metrics = dataclasses.replace(BARE, **known)
    assert judge(BARE, Quality(), DOUBTFUL) is Verdict.FAIL
    assert judge(metrics, Quality(), DOUBTFUL) is Verdict.PASS
    assert explain(metrics, Quality(), DOUBTFUL) == []


def test_reasons_say_value_and_threshold() -> None:
    """In words and with units, the worst first."""
    metrics = CaseMetrics(dice_score=0.92, tre_mm=9.0, fold_pct=0.2, outside_fov_pct=40.0)
    assert explain(metrics, Quality()) == [
        "mean landmark error 9.00 mm is above 8 mm",
        "an image is constant inside the lungs",
        "Dice 0.92 is below 0.93",
        "share of folded voxels in the lungs 0.20 % is above 0.1 %",
        "share outside the moving scan 40.00 % is above 30 %",
    ]


def test_a_reason_never_contradicts_itself() -> None:
    """A value just beyond its threshold gets the decimals that show it."""
    metrics = CaseMetrics(dice_score=0.8796, ncc=0.9)
    assert explain(metrics, Quality()) == ["Dice 0.8796 is below 0.88"]


@pytest.mark.parametrize("dice", [0.95, 0.9, 0.5])
def test_a_verdict_has_reasons_where_it_is_no_pass(dice: float) -> None:
    """And none where it is."""
    metrics = CaseMetrics(**{**GOOD, "dice_score": dice})  # type: ignore[arg-type]
    passes = judge(metrics, Quality()) is Verdict.PASS
    assert passes == (explain(metrics, Quality()) == [])
