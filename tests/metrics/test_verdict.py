"""Verdicts: the worst finding decides, nothing passes that nothing speaks for."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lungreg.config import Quality
from lungreg.metrics.verdict import Judgement, judge
from lungreg.records import CaseMetrics, Evidence, Verdict

GOOD = CaseMetrics(
    dice_score=0.97,
    dice_aligned=0.9,
    tre_mm=1.5,
    tre_aligned_mm=9.0,
    etre_mm=1.4,
    etre_aligned_mm=9.2,
    etre_found_pct=40.0,
    fold_pct=0.0,
    outside_fov_pct=5.0,
    ncc=0.9,
)
PLACES = Evidence(etre_places=500, landmarks=100)
NO_LANDMARKS = dataclasses.replace(GOOD, tre_mm=None, tre_aligned_mm=None)
MASKS_ALONE = dataclasses.replace(
    NO_LANDMARKS, etre_mm=None, etre_aligned_mm=None, etre_found_pct=None
)


def judged(metrics: CaseMetrics = GOOD, evidence: Evidence = PLACES, **changes: Any) -> Judgement:
    """Under the default thresholds, with some metrics changed."""
    return judge(dataclasses.replace(metrics, **changes), Quality(), evidence)


@pytest.mark.parametrize(
    ("metrics", "rests_on"),
    [(GOOD, "landmarks"), (NO_LANDMARKS, "estimated")],
)
def test_a_good_case_passes(metrics: CaseMetrics, rests_on: str) -> None:
    """And says what that rests on."""
    found = judged(metrics)
    assert (found.verdict, found.evidence, found.reasons) == (Verdict.PASS, rests_on, ())


def test_masks_alone_never_pass() -> None:
    """A perfect overlap says nothing about the inside."""
    found = judged(MASKS_ALONE, Evidence(etre_places=0))
    assert (found.verdict, found.evidence) == (Verdict.WARN, "masks")
    assert "too few to know the error inside the lungs" in found.reasons[0]
    nothing = judged(MASKS_ALONE, Evidence(), dice_score=None, dice_aligned=None)
    assert (nothing.verdict, nothing.evidence) == (Verdict.WARN, None)


def test_a_few_landmarks_do_not_outweigh_the_scans() -> None:
    """Three lucky landmarks beside five hundred places that lie far off."""
    lost = {"tre_mm": 1.0, "etre_mm": 5.1}
    few = judged(evidence=Evidence(etre_places=500, landmarks=3), **lost)
    assert (few.verdict, few.evidence) == (Verdict.FAIL, "estimated")
    enough = judged(evidence=Evidence(etre_places=500, landmarks=20), **lost)
    assert (enough.verdict, enough.evidence) == (Verdict.PASS, "landmarks")
    alone = judged(evidence=Evidence(etre_places=30, landmarks=3), etre_mm=None)
    assert (alone.verdict, alone.evidence) == (Verdict.WARN, "masks")


def test_a_few_landmarks_still_count() -> None:
    """Places that agree do not hide a landmark that lies far off."""
    found = judged(evidence=Evidence(etre_places=500, landmarks=3), tre_mm=5.0)
    assert found.verdict is Verdict.FAIL
    assert "mean landmark error 5.00 mm" in "; ".join(found.reasons)


@pytest.mark.parametrize(
    ("tre_mm", "etre_mm", "suspected"), [(27, 0.9, True), (27, 9, False), (5, 1.5, False)]
)
def test_landmarks_that_contradict_the_scans_are_named(
    tre_mm: float, etre_mm: float, *, suspected: bool
) -> None:
    """As those with their axes in another order; not where the registration itself is lost."""
    found = judged(tre_mm=tre_mm, etre_mm=etre_mm)
    assert found.verdict is Verdict.FAIL
    assert ("the landmarks contradict the scans" in "; ".join(found.reasons)) is suspected


def test_few_places_are_no_evidence() -> None:
    """An error estimated from thirty places is not used."""
    assert judged(NO_LANDMARKS, Evidence(etre_places=30)).verdict is Verdict.WARN
    assert judged(NO_LANDMARKS, Evidence(etre_places=30)).evidence == "masks"


def test_worst_decides_and_failures_come_first() -> None:
    """One failure among warnings fails."""
    found = judged(dice_score=0.92, tre_mm=5.0, fold_pct=0.2)
    assert found.verdict is Verdict.FAIL
    assert found.reasons[0].startswith("mean landmark error 5.00 mm")
    assert len(found.reasons) == 3


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # The network of the issue, which moved nothing.
        (3.79, 3.87, Verdict.WARN),
        (3.62, 3.78, Verdict.WARN),
        (2.70, 2.80, Verdict.WARN),
        (3.95, 4.09, Verdict.FAIL),
        (8.0, 1.9, Verdict.PASS),
        # One scan with itself.
        (0.0, 0.1, Verdict.PASS),
        (1.9, 1.95, Verdict.PASS),
    ],
)
def test_not_better_than_before_is_no_pass(before: float, after: float, expected: Verdict) -> None:
    """By landmarks; the same by estimated errors."""
    assert judged(tre_aligned_mm=before, tre_mm=after).verdict is expected


def test_no_gain_is_named() -> None:
    """Even below the limit of a pass, where the state before is above it."""
    loose = Quality(etre_warn_mm=2.5, gain_warn_pct=10)
    metrics = dataclasses.replace(
        NO_LANDMARKS, etre_mm=2.45, etre_aligned_mm=2.6, etre_found_pct=100.0
    )
    found = judge(metrics, loose, PLACES)
    assert found.verdict is Verdict.WARN
    assert found.reasons == (
        "the mean estimated landmark error is not better than before registration: 2.60 to 2.45 mm",
    )


def test_dice_that_falls_is_no_pass() -> None:
    """Unless the state before was good by landmarks or estimated errors."""
    fallen = {"dice_aligned": 0.9537, "dice_score": 0.9514}
    assert judged(**fallen).verdict is Verdict.WARN
    assert "0.9537 to 0.9514" in judged(**fallen).reasons[0]
    assert judged(**fallen, tre_aligned_mm=1.6).verdict is Verdict.PASS


def test_no_correlation_is_a_failure() -> None:
    """Where the warped image is constant in the lungs, nothing arrived there."""
    assert judged(ncc=None).verdict is Verdict.FAIL


def test_thresholds_of_the_run_count() -> None:
    """A stricter run fails where the default passes."""
    assert judge(GOOD, Quality(tre_warn_mm=1.0, tre_fail_mm=1.4), PLACES).verdict is Verdict.FAIL


def test_wrong_input_counts() -> None:
    """Also where all figures are good."""
    evidence = dataclasses.replace(PLACES, mirrored="left and right")
    assert judged(evidence=evidence).verdict is Verdict.FAIL


@pytest.mark.parametrize("dice", [0.95, 0.92, 0.5])
def test_a_verdict_has_reasons_where_it_is_no_pass(dice: float) -> None:
    """And none where it is."""
    found = judged(dice_score=dice)
    assert (found.verdict is Verdict.PASS) == (found.reasons == ())


def test_what_is_wrong_with_the_scans_is_said_first() -> None:
    """A moving file that is no CT fails in many ways, for one reason."""
    evidence = Evidence(doubts="in the moving scan the values do not look like Hounsfield units")
    found = judge(CaseMetrics(ncc=0.1, dice_score=0.5), Quality(), evidence)
    assert found.verdict is Verdict.FAIL
    assert found.reasons[0] == evidence.doubts


def test_a_part_without_partners_is_a_warning_after_failures() -> None:
    """It follows from what failed: too few places find a partner where two patients were taken."""
    evidence = dataclasses.replace(PLACES, unmatched="right lower")
    found = judged(NO_LANDMARKS, evidence)
    assert found.verdict is Verdict.WARN
    assert "no distinctive place finds a partner in a part" in found.reasons[0]
    assert "(right lower)" in found.reasons[0]
    found = judged(NO_LANDMARKS, evidence, etre_found_pct=4.0)
    assert found.verdict is Verdict.FAIL
    assert "may not be scans of the same patient" in found.reasons[0]
    assert "(right lower)" in found.reasons[1]


@pytest.mark.parametrize(
    ("etre_mm", "found_pct", "expected"),
    [
        (1.9, 100.0, Verdict.PASS),
        (1.9, 80.0, Verdict.WARN),  # 1.9 (0.8 + 1.35 x 0.2) = 2.03
        (1.735, 26.5, Verdict.WARN),
        (1.5, 26.5, Verdict.PASS),
        (3.9, 30.0, Verdict.WARN),  # A failure is what is found, not what is supposed.
        (4.1, 100.0, Verdict.FAIL),
    ],
)
def test_places_without_a_partner_count(
    etre_mm: float, found_pct: float, expected: Verdict
) -> None:
    """With 1.35 times the error of the others; one reason is enough."""
    found = judged(NO_LANDMARKS, etre_mm=etre_mm, etre_found_pct=found_pct)
    assert found.verdict is expected
    assert len(found.reasons) == (expected is not Verdict.PASS)


def test_few_partners_are_a_warning() -> None:
    """From 25 % down to 12; of other patients of tests/varied at most 11.5 % find one."""
    found = judged(NO_LANDMARKS, etre_found_pct=24.5)
    assert found.verdict is Verdict.WARN
    assert "is below 25 %: the true error may be twice the estimated one" in found.reasons[0]
    assert judged(NO_LANDMARKS, etre_found_pct=25.0).verdict is Verdict.PASS


def test_too_few_partners_tell_no_error() -> None:
    """The case rests on them, and fails by them; another limit leaves what is not known."""
    metrics, evidence = CaseMetrics(ncc=0.8, etre_found_pct=9.0), Evidence(etre_places=150)
    found = judge(metrics, Quality(), evidence)
    assert (found.verdict, found.evidence) == (Verdict.FAIL, "estimated")
    assert ["not be scans of the same patient" in reason for reason in found.reasons] == [True]
    found = judge(metrics, Quality(etre_found_fail_pct=5.0, etre_found_warn_pct=8.0), evidence)
    assert found.verdict is Verdict.WARN
    assert found.reasons[0].startswith("only 9 % of the distinctive places found a partner")


@pytest.mark.parametrize(("share", "expected"), [(13.0, Verdict.PASS), (11.0, Verdict.PASS)])
def test_landmarks_know_more_than_few_partners(share: float, expected: Verdict) -> None:
    """Beside them few partners are a finding only where it may be two patients."""
    assert judged(GOOD, etre_found_pct=share).verdict is expected
