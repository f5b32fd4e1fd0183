"""The measures as they are shown, against the metrics and the thresholds."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.config import Quality
from lungreg.qc.measures import DICE, FOLDS, MEASURES, NCC, TRE, limits, number, numbers, state
from lungreg.records import CaseMetrics, Status, Verdict
from tests.qc.phantom import phantom_result


def test_measures_are_fields_of_the_record():
    """Every measure and what stands before it exists in `CaseMetrics`, and all are shown."""
    fields = {field.name for field in dataclasses.fields(CaseMetrics)}
    shown = {name for m in MEASURES for name in (m.name, m.initial, m.aligned) if name}
    assert shown == fields


def test_every_threshold_of_the_config_finds_its_measure():
    """No threshold of a case's own measures is left without one, and each finds the right one."""
    of_evidence = ("residual_", "inverse_", "volume_ratio_", "dice_segmented_")
    thresholds = {k: v for k, v in Quality().model_dump().items() if not k.startswith(of_evidence)}
    found = {m.name: limits(thresholds, m) for m in MEASURES}
    assert sum(len(levels) for levels in found.values()) == len(thresholds)
    assert found["dice_score"] == {"warn": 0.93, "fail": 0.88}
    assert found["tre_mm"] == {"warn": 4.0, "fail": 8.0}
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
