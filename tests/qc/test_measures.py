"""The measures as they are shown, against the metrics and the thresholds."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.config import Quality
from lungreg.metrics.measures import MEASURES
from lungreg.qc.measures import limits, number, numbers, state, words
from lungreg.records import Status, Verdict
from tests.qc.phantom import phantom_result


def test_every_threshold_of_the_config_finds_its_measure():
    """No threshold of a case's own measures is left without one, and each finds the right one."""
    of_evidence = (
        *("residual_", "inverse_", "volume_ratio_", "dice_segmented_", "region_", "gain_"),
        *("etre_places_", "stretch_", "outside_fov_", "time_points", "landmarks_"),
        *("mask_cover_", "in_place_", "unlike_", "tre_max_", "soft_edge_"),
    )
    quality = Quality()
    thresholds = quality.model_dump()
    found = {m.name: limits(thresholds, m) for m in MEASURES}
    own = [name for name in thresholds if not name.startswith(of_evidence)]
    assert sum(len(levels) for levels in found.values()) == len(own)
    assert found["dice_score"] == {"warn": 0.93, "fail": 0.88}
    assert found["tre_mm"] == {"warn": quality.tre_warn_mm, "fail": quality.tre_fail_mm}
    assert found["tre_p95_mm"] == {"warn": quality.tre_p95_warn_mm}
    assert found["etre_mm"] == {"warn": quality.etre_warn_mm, "fail": quality.etre_fail_mm}
    assert found["etre_found_pct"] == {
        "warn": quality.etre_found_warn_pct,
        "fail": quality.etre_found_fail_pct,
    }
    assert found["ncc"] == {"warn": 0.3, "fail": 0.3}
    assert found["outside_fov_pct"] == {}  # Of the whole scan: the lungs count, which is evidence.
    assert found["tre_median_mm"] == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_what_is_no_number_is_absent(value):
    """NaN and infinity never reach a page."""
    result = phantom_result(dice_score=value)
    assert number(result, "dice_score") is None
    assert numbers([result, phantom_result(dice_score=0.5)], "dice_score") == [0.5]
    assert number(result, None) is None


def test_state_distinguishes_failing_from_failed():
    """A case that did not run is not a case that ran badly."""
    result = phantom_result()
    assert state(dataclasses.replace(result, verdict=Verdict.FAIL)) == "fail"
    failed = dataclasses.replace(result, verdict=Verdict.FAIL, status=Status.FAILED)
    assert state(failed) == "failed"
    assert state(dataclasses.replace(result, verdict=Verdict.WARN)) == "warn"


@pytest.mark.parametrize(
    ("status", "verdict", "evidence", "shown"),
    [
        (Status.SUCCESS, Verdict.PASS, "estimated", "pass (estimated)"),
        (Status.SUCCESS, Verdict.WARN, "landmarks", "warn (landmarks)"),
        (Status.SUCCESS, Verdict.FAIL, None, "fail"),
        (Status.FAILED, Verdict.FAIL, None, "not registered"),
    ],
)
def test_words_join_verdict_and_evidence(status, verdict, evidence, shown):
    """A person never reads a verdict without what it rests on."""
    changes = {"status": status, "verdict": verdict, "evidence": evidence}
    assert words(dataclasses.replace(phantom_result(), **changes)) == shown
