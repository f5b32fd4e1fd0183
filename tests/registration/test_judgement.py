"""Judgements of pairs: where one fails, what may be wrong with its scans is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.config import Quality
from lungreg.records import CaseMetrics, Evidence, Verdict
from lungreg.registration.evaluation import Measured
from lungreg.registration.judgement import judge_pair, mirrored_sides
from lungreg.registration.pair import Pair
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")

WINDOW = (-1000.0, 500.0)
FAILED = Measured(
    metrics=CaseMetrics(ncc=0.8, tre_mm=30.0, tre_aligned_mm=40.0),
    evidence=Evidence(etre_places=500),
    places=None,
)


def mirrored(axis: int | None) -> Pair:
    """The pair, the moving array reversed along an axis under the same header."""
    pair = as_pair(simulated(), masks=False)
    if axis is None:
        return pair
    flipped = np.ascontiguousarray(np.flip(pair.moving.data, axis))
    return replace(pair, moving=replace(pair.moving, data=flipped))


@pytest.mark.parametrize(
    ("axis", "sides"),
    [(None, None), (0, "left and right"), (1, "front and back"), (2, "head and feet")],
)
def test_exchanged_sides_are_found(axis: int | None, sides: str | None) -> None:
    """And a pair in order is not suspected."""
    assert mirrored_sides(mirrored(axis), WINDOW) == sides


def test_a_failure_says_that_sides_are_exchanged() -> None:
    """In the reasons, and in the evidence that is kept."""
    measured, judgement = judge_pair(mirrored(0), FAILED, Quality(), hu_window=WINDOW)
    assert judgement.verdict is Verdict.FAIL
    assert (
        "left and right seem exchanged in one of the scans: check its header" in judgement.reasons
    )
    assert measured.evidence.mirrored == "left and right"


def test_no_look_where_the_case_passes() -> None:
    """A mirrored pair that was registered well all the same is not searched."""
    passed = replace(FAILED, metrics=CaseMetrics(ncc=0.8, tre_mm=1.0, tre_aligned_mm=9.0))
    measured, judgement = judge_pair(mirrored(0), passed, Quality(), hu_window=WINDOW)
    assert judgement.verdict is Verdict.PASS
    assert measured is passed
