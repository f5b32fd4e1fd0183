"""The table of rules: thresholds exist, each value has its sentence, documentation lists all."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lungreg.config import Quality
from lungreg.metrics import verdict, wrong_input
from lungreg.metrics.judged import Judged
from lungreg.metrics.rule_list import describe_rules
from lungreg.metrics.rules import RULES, check
from lungreg.records import CaseMetrics, Evidence, RegionError, Verdict

BAD_REGION = RegionError(
    region="left lower",
    places=200,
    partners=80,
    found_pct=40.0,
    mean_mm=3.0,
    median_mm=5.0,
    p95_mm=9.0,
    beyond_3mm_pct=80.0,
    beyond_5mm_pct=50.0,
)
CASES = [
    (CaseMetrics(tre_mm=2.1), Evidence(), Verdict.WARN, "mean landmark error 2.10 mm is above 2"),
    (CaseMetrics(tre_mm=4.1), Evidence(), Verdict.FAIL, "4.10 mm is above 4 mm"),
    (CaseMetrics(tre_p95_mm=7.0), Evidence(), Verdict.WARN, "95th percentile of the landmark"),
    (CaseMetrics(), Evidence(tre_max_mm=14.0), Verdict.WARN, "14.00 mm is above 10 mm: is that"),
    (CaseMetrics(etre_mm=3.0), Evidence(etre_places=400), Verdict.WARN, "estimated .* 3.00 mm"),
    (CaseMetrics(etre_mm=5.0), Evidence(etre_places=400), Verdict.FAIL, "5.00 mm is above"),
    (CaseMetrics(etre_found_pct=12.0), Evidence(), Verdict.WARN, "12.00 % is below"),
    (CaseMetrics(etre_found_pct=2.0), Evidence(), Verdict.FAIL, "not be scans of the same patient"),
    (CaseMetrics(), Evidence(etre_regions=(BAD_REGION,)), Verdict.WARN, "worst part of the lungs"),
    (
        CaseMetrics(etre_mm=1.0, etre_found_pct=80.0),
        Evidence(etre_regions=(replace(BAD_REGION, p95_mm=5.0),)),
        Verdict.WARN,
        "by how few places it rests on, 5.00 mm is above 3 mm",
    ),
    (CaseMetrics(dice_score=0.9), Evidence(), Verdict.WARN, "Dice 0.90 is below 0.93"),
    (CaseMetrics(dice_score=0.8), Evidence(), Verdict.FAIL, "below 0.88"),
    (
        CaseMetrics(dice_score=0.8, etre_mm=1.0, etre_found_pct=60.0),
        Evidence(etre_places=400),
        Verdict.WARN,
        "limits of a pass, 0.80 is below 0.93: are these the masks of these scans",
    ),
    (CaseMetrics(), Evidence(dice_segmented=0.1), Verdict.WARN, "segmented by threshold 0.10"),
    (CaseMetrics(fold_pct=0.2), Evidence(), Verdict.WARN, "folded voxels in the lungs 0.20 %"),
    (CaseMetrics(fold_pct=1.1), Evidence(), Verdict.FAIL, "1.10 % is above 1 %"),
    (CaseMetrics(), Evidence(residual=0.61), Verdict.WARN, "residual .* 0.61 is above 0.6"),
    (CaseMetrics(), Evidence(residual=0.76), Verdict.FAIL, "above 0.75"),
    (CaseMetrics(ncc=0.29), Evidence(), Verdict.FAIL, "correlation inside the lungs 0.29"),
    (
        CaseMetrics(ncc=0.29, etre_mm=1.0),
        Evidence(etre_places=400),
        Verdict.WARN,
        "0.29 is below 0.3: is there fluid or dense tissue in one scan",
    ),
    (
        CaseMetrics(),
        Evidence(mask_cover_pct=60.0),
        Verdict.WARN,
        "masks hold in the worst part 60.00 % is below 75",
    ),
    (CaseMetrics(), Evidence(correlation_in_place=0.3), Verdict.WARN, "moved, 0.30 is above 0.15"),
    (CaseMetrics(), Evidence(unlike_pct=5.0), Verdict.WARN, "go together 5.00 % is above 2.5 %"),
    (CaseMetrics(), Evidence(lower_edge_mm=11.0), Verdict.WARN, "11.00 mm is above 6 mm: did the"),
    (CaseMetrics(), Evidence(lungs_outside_pct=31.0), Verdict.WARN, "the moving scan 31.00"),
    (CaseMetrics(), Evidence(inverse_mean_mm=0.7), Verdict.WARN, "0.70 mm is above 0.5 mm"),
    (CaseMetrics(), Evidence(inverse_mean_mm=2.1), Verdict.FAIL, "2.10 mm is above 2 mm"),
    (CaseMetrics(), Evidence(volume_ratio_jacobian=0.4), Verdict.WARN, "0.40 is below 0.5"),
    (CaseMetrics(), Evidence(volume_ratio_jacobian=4.5), Verdict.WARN, "4.50 is above 4"),
]


@pytest.mark.parametrize(("metrics", "evidence", "verdict", "words"), CASES)
def test_beyond_a_threshold(
    metrics: CaseMetrics, evidence: Evidence, verdict: Verdict, words: str
) -> None:
    """One finding, with the value, the side and the limit."""
    judged = Judged(metrics=metrics, evidence=evidence, thresholds=Quality())
    (found,) = [finding for rule in RULES for finding in check(rule, judged)]
    assert found.verdict is verdict
    assert re.search(words, found.reason), found.reason


@pytest.mark.parametrize(("below_pct", "warned"), [(80.0, False), (60.0, True), (None, True)])
def test_a_soft_edge_where_places_are_found_below_it(below_pct: float | None, warned: bool) -> None:
    """Dense lung above the diaphragm has one too: tissue there is found again."""
    parts = {"left upper": 100.0, "right upper": 90.0, "left lower": below_pct}
    evidence = Evidence(
        lower_edge_mm=11.0,
        etre_regions=tuple(
            replace(BAD_REGION, region=name, found_pct=found, mean_mm=1.0, p95_mm=2.0)
            for name, found in parts.items()
            if found is not None
        ),
    )
    judged = Judged(metrics=CaseMetrics(), evidence=evidence, thresholds=Quality())
    found = [finding.reason for rule in RULES for finding in check(rule, judged)]
    assert [("lower edge" in reason) for reason in found] == [True] * warned


def test_every_rule_is_tried_above() -> None:
    """No rule is without a case that it finds."""
    silent = []
    for rule in RULES:
        found = [
            check(rule, Judged(metrics=metrics, evidence=evidence, thresholds=Quality()))
            for metrics, evidence, *_ in CASES
        ]
        if not any(list(each) for each in found):
            silent.append(rule.what)
    assert silent == []


def test_names_of_thresholds_are_keys_of_quality() -> None:
    """Each is a number of the configuration, and no rule is without one."""
    limits = Quality().model_dump()
    names = [name for rule in RULES for name in (rule.warn, rule.fail) if name is not None]
    assert set(names) <= set(limits)
    assert all(rule.warn or rule.fail for rule in RULES)


def test_limits_are_not_beyond() -> None:
    """Strictly more, or strictly less, is a finding; a value that is no number is one too."""

    def count(value: float) -> int:
        judged = Judged(
            metrics=CaseMetrics(tre_mm=value), evidence=Evidence(), thresholds=Quality()
        )
        return sum(len(list(check(rule, judged))) for rule in RULES)

    assert (count(2.0), count(2.0001), count(float("nan"))) == (0, 1, 1)


def test_a_reason_never_contradicts_itself() -> None:
    """A value just beyond its threshold gets the decimals that show it."""
    judged = Judged(
        metrics=CaseMetrics(dice_score=0.8796), evidence=Evidence(), thresholds=Quality()
    )
    (found,) = [finding for rule in RULES for finding in check(rule, judged)]
    assert found.reason == "Dice 0.8796 is below 0.88"


def test_the_list_for_people_has_every_threshold() -> None:
    """With the run's own values."""
    lines = describe_rules(Quality(tre_fail_mm=7.5))
    assert "fail: mean landmark error above 7.5 mm" in lines
    assert "warn: share of distinctive places that find a partner below 25 %" in lines
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("key", [name for name in Quality.model_fields if name != "time_points"])
def test_every_threshold_is_in_the_list(key: str) -> None:
    """Another value of a key of `quality` is another line: no rule is a secret."""
    before = set(describe_rules(Quality()))
    value = getattr(Quality(), key)
    after = set(
        describe_rules(Quality(**{key: value + 1 if isinstance(value, int) else value * 0.9}))
    )
    assert before != after


def test_every_check_is_in_the_list() -> None:
    """Those of the files and those beside the table."""
    lines = describe_rules(Quality())
    checks = (*wrong_input.CHECKS, *verdict.CHECKS)
    of_table = sum((rule.warn is not None) + (rule.fail is not None) for rule in RULES)
    assert len(lines) == of_table + len(checks)


@pytest.mark.parametrize(
    ("found_pct", "mean_mm", "partners", "reasons"),
    [(40.0, 2.9, 80, 0), (20.0, 2.9, 80, 1), (13.0, 2.9, 14, 1), (13.0, 1.1, 26, 0)],
)
def test_a_part_with_few_partners_rests_on_little(
    found_pct: float, mean_mm: float, partners: int, reasons: int
) -> None:
    """Where a part is far off, some of its places find a partner nearby, and err more than others.

    Few partners alone, as exact as all, are no reason to doubt. The percentile is not taken from
    fewer than 15; the mean is.
    """
    part = replace(BAD_REGION, p95_mm=5.9, mean_mm=mean_mm, found_pct=found_pct, partners=partners)
    judged = Judged(
        metrics=CaseMetrics(etre_mm=1.0, etre_found_pct=40.0),
        evidence=Evidence(etre_regions=(part,)),
        thresholds=Quality(),
    )
    assert len([finding for rule in RULES for finding in check(rule, judged)]) == reasons


@pytest.mark.parametrize(
    ("tre_mm", "landmarks", "found_pct", "verdicts"),
    [
        (0.8, 200, 3.0, []),
        (3.0, 200, 3.0, [Verdict.WARN, Verdict.FAIL]),
        (0.8, 3, 3.0, [Verdict.FAIL]),
    ],
)
def test_scans_whose_landmarks_meet_are_of_one_patient(
    tre_mm: float, landmarks: int, found_pct: float, verdicts: list[Verdict]
) -> None:
    """However few places find a partner, as on coarse voxels."""
    judged = Judged(
        metrics=CaseMetrics(tre_mm=tre_mm, etre_found_pct=found_pct),
        evidence=Evidence(landmarks=landmarks),
        thresholds=Quality(),
    )
    found = [finding.verdict for rule in RULES for finding in check(rule, judged)]
    assert found == verdicts


@pytest.mark.parametrize(
    ("metrics", "places", "verdict"),
    [
        (CaseMetrics(dice_score=0.6, etre_mm=1.9, etre_found_pct=90.0), 400, Verdict.WARN),
        # The places that find no partner err more.
        (CaseMetrics(dice_score=0.6, etre_mm=1.9, etre_found_pct=40.0), 400, Verdict.FAIL),
        (CaseMetrics(dice_score=0.6, etre_mm=1.0, etre_found_pct=20.0), 400, Verdict.FAIL),
        (CaseMetrics(dice_score=0.6, etre_mm=1.0, etre_found_pct=90.0), 20, Verdict.FAIL),
        (CaseMetrics(dice_score=0.6), 0, Verdict.FAIL),
    ],
)
def test_masks_that_disagree_with_a_small_error(
    metrics: CaseMetrics, places: int, verdict: Verdict
) -> None:
    """Then the masks are in doubt; elsewhere it is the registration."""
    judged = Judged(metrics=metrics, evidence=Evidence(etre_places=places), thresholds=Quality())
    found = [it.verdict for rule in RULES for it in check(rule, judged) if "Dice" in it.reason]
    assert found == [verdict]
