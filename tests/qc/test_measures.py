"""The measures as they are shown, against the metrics and the thresholds."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.config import Quality
from lungreg.qc.measures import (
    DICE,
    FOLDS,
    MEASURES,
    NCC,
    TRE,
    limits,
    number,
    numbers,
    state,
    words,
)
from lungreg.records import CaseMetrics, Status, Verdict
from tests.qc.phantom import phantom_result


def test_measures_are_fields_of_the_record():
    """Every measure and what stands before it exists in `CaseMetrics`, and all are shown."""
    fields = {field.name for field in dataclasses.fields(CaseMetrics)}
    shown = {name for m in MEASURES for name in (m.name, m.initial, m.aligned) if name}
    assert shown == fields


def test_every_threshold_of_the_config_finds_its_measure():
    """No threshold of a case's own measures is left without one, and each finds the right one."""
    of_evidence = (
        *("residual_", "inverse_", "volume_ratio_", "dice_segmented_", "region_", "gain_"),
        *("etre_places_", "stretch_", "time_points"),
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
    assert found["outside_fov_pct"] == {"warn": 30.0}
    assert found["tre_median_mm"] == {}


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        (DICE, 0.91249, "0.912"),
        (TRE, 12.0, "12.00"),
        (NCC, -0.25, "\N{MINUS SIGN}0.250"),
        (FOLDS, None, "–"),
    ],
)
def test_text(measure, value, text):
    """Numbers have their measure's decimals and a true minus; an absent one is an en dash."""
    assert measure.text(value) == text


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
