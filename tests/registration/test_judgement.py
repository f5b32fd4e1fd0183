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
    evidence=Evidence(etre_places=500, landmarks=100),
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


def test_axes_in_another_order_are_found() -> None:
    """An array z, y, x under the header of x, y, z."""
    pair = as_pair(simulated(), masks=False)
    data = np.ascontiguousarray(pair.moving.data.transpose(2, 1, 0))
    grid = replace(pair.moving.grid, shape=pair.moving.grid.shape[::-1])
    swapped = replace(pair, moving=replace(pair.moving, data=data, grid=grid))
    assert mirrored_sides(swapped, WINDOW) == "axes"


@pytest.mark.parametrize(("found_pct", "tre_mm"), [(None, 30.0), (3.0, 30.0), (34.0, 1.5)])
def test_where_tissue_does_not_match_exchanged_sides_are_a_failure(
    found_pct: float | None, tre_mm: float
) -> None:
    """In the reasons, and in the evidence that is kept; also where it was a pass before."""
    odd = CaseMetrics(ncc=0.8, tre_mm=tre_mm, tre_aligned_mm=40.0, etre_found_pct=found_pct)
    before = replace(FAILED, metrics=odd)
    measured, judgement = judge_pair(mirrored(0), before, Quality(), hu_window=WINDOW)
    assert judgement.verdict is Verdict.FAIL
    assert (
        "left and right seem exchanged in one of the scans: check its header" in judgement.reasons
    )
    assert measured.evidence.mirrored == "left and right"


def test_a_transform_that_mirrors_is_looked_into() -> None:
    """As the boxes of two scans laid over each other, one of which has lost its orientation."""
    pair = mirrored(0)
    turned = pair.moving.grid.affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    there = replace(pair.moving, grid=replace(pair.moving.grid, affine=turned))
    evidence = replace(FAILED.evidence, volume_ratio_jacobian=-1.1)
    matched = CaseMetrics(ncc=0.8, etre_mm=1.0, etre_aligned_mm=1.0, etre_found_pct=91.0)
    before = replace(FAILED, metrics=matched, evidence=evidence)
    for moving, sides in ((pair.moving, "left and right"), (there, None)):
        odd = replace(pair, moving=moving)
        measured, judgement = judge_pair(odd, before, Quality(), hu_window=WINDOW)
        assert measured.evidence.mirrored == sides
        assert judgement.verdict is (Verdict.WARN if sides is None else Verdict.FAIL)


@pytest.mark.parametrize("tre_mm", [1.0, 30.0])
def test_no_look_where_tissue_matches(tre_mm: float) -> None:
    """Places that find partners are no mirror images of them, however the case is judged."""
    matched = CaseMetrics(ncc=0.8, tre_mm=tre_mm, tre_aligned_mm=40.0, etre_found_pct=60.0)
    before = replace(FAILED, metrics=matched)
    measured, judgement = judge_pair(mirrored(0), before, Quality(), hu_window=WINDOW)
    assert judgement.verdict is (Verdict.PASS if tre_mm < 2 else Verdict.FAIL)
    assert measured is before
