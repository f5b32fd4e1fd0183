"""Histograms of a cohort: counts, thresholds, ticks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lungreg.metrics.measures import DICE, FOLDS, NCC, TRE
from lungreg.qc.histograms import FEWEST, HEIGHT, WIDTH, histogram
from tests.qc.phantom import phantom_result


def test_bars_hold_every_case_once():
    """Heights are counts: over all bars they add up to the cases."""
    rng = np.random.default_rng(3)
    results = [
        phantom_result(f"c{k}", tre_mm=a, tre_aligned_mm=b)
        for k, (a, b) in enumerate(zip(rng.gamma(3, 1, 200), rng.gamma(9, 1, 200), strict=True))
    ]
    drawn = histogram(TRE, results, {"tre_warn_mm": 4.0, "tre_fail_mm": 800.0})
    for bars in (drawn.after, drawn.before):
        assert sum(int(bar.title.split()[0]) for bar in bars) == 200
    assert max(bar.height for bar in (*drawn.after, *drawn.before)) == HEIGHT
    assert list(drawn.limits) == ["warn"]
    places = [tick.x for tick in drawn.ticks]
    assert 3 <= len(places) <= 8
    assert 0 == min(places) <= max(places) <= WIDTH
    assert drawn.ticks[0].label == "0"


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_one_value_alone(value):
    """A cohort of equal cases has a distribution too."""
    drawn = histogram(DICE, [phantom_result(dice_score=value)] * FEWEST, {})
    assert [bar.height for bar in drawn.after] == [HEIGHT]
    assert drawn.ticks


def test_before_and_after_are_of_the_same_cases():
    """A case without a value after registration is not counted before it."""
    lost = phantom_result("a", dice_aligned=0.2)
    kept = dataclasses.replace(phantom_result("b", dice_aligned=0.8), dice_score=0.9)
    drawn = histogram(DICE, [lost, *[kept] * FEWEST], {})
    assert len(drawn.before) == len(drawn.after) == 1
    assert drawn.note == f"median 0.800 before, 0.900 after, n = {FEWEST}"


def test_no_value_no_plot():
    """Without landmarks there is no plot of their error, and none of fewer than five cases."""
    assert FEWEST == 5
    assert histogram(FOLDS, [phantom_result()] * 9, {}) is None
    few = [phantom_result(fold_pct=0.5), *[phantom_result(fold_pct=0.1)] * 3, phantom_result()]
    assert histogram(FOLDS, few, {}) is None


def test_the_axis_starts_at_zero():
    """Good overlaps do not look far apart; only values below zero lie left of it."""
    close = [phantom_result(dice_score=0.95 + k / 200) for k in range(6)]
    drawn = histogram(DICE, close, {})
    assert (drawn.ticks[0].x, drawn.ticks[0].label) == (0.0, "0.0")
    assert min(bar.x for bar in drawn.after) > 0.9 * WIDTH
    below = histogram(NCC, [phantom_result(ncc=k / 10 - 0.2) for k in range(6)], {})
    assert min(bar.x for bar in below.after) == 0.0
    assert below.ticks[0].label.startswith("\N{MINUS SIGN}0.2")
