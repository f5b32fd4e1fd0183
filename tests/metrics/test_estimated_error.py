"""Estimated errors by part of the lungs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.metrics.estimated_error import error_by_region, found_share, unmatched_regions


def everywhere(count: int) -> dict[str, NDArray[np.bool_]]:
    """Places that are all deep in the lungs and all within the moving scan."""
    return {"deep": np.ones(count, bool), "shown": np.ones(count, bool)}


def test_figures_of_each_part() -> None:
    """Means, percentiles and shares over the places that found a partner; the worst part first."""
    near = np.arange(20) / 10
    far = np.concatenate([np.full(10, 2.0), np.full(10, 6.0), np.full(20, np.nan)])
    names = np.array(["left upper"] * 20 + ["right lower"] * 40)
    worst, best = error_by_region(np.concatenate([near, far]), names, **everywhere(60))
    assert (worst.region, worst.places, worst.found_pct) == ("right lower", 40, 50.0)
    assert (worst.mean_mm, worst.median_mm, worst.p95_mm) == (4.0, 4.0, 6.0)
    assert (worst.beyond_3mm_pct, worst.beyond_5mm_pct) == (50.0, 50.0)
    assert best.region == "left upper"
    assert best.mean_mm == pytest.approx(0.95)
    assert best.found_pct == 100.0
    assert str(worst) == "right lower: 4.0 mm (95 % below 6.0 mm), 50 % found"


def test_parts_with_few_partners_are_left_out() -> None:
    """Seven errors say little."""
    errors = np.ones(15)
    names = np.array(["left upper"] * 7 + ["left lower"] * 8)
    found = error_by_region(errors, names, **everywhere(15))
    assert [part.region for part in found] == ["left lower"]
    nothing, one = np.full(30, np.nan), np.array(["left upper"] * 30)
    assert error_by_region(nothing, one, **everywhere(30)) == ()


def test_a_part_counts_its_partners_as_the_whole_lungs_do() -> None:
    """Deep places within the moving scan: 20 of 25 found, though 20 of all 60 would be a third."""
    errors = np.concatenate([np.ones(20), np.full(40, np.nan)])
    deep, shown = np.arange(60) < 40, (np.arange(60) < 25) | (np.arange(60) >= 40)
    (part,) = error_by_region(errors, np.array(["left upper"] * 60), deep=deep, shown=shown)
    whole = found_share(np.isfinite(errors), deep=deep, shown=shown)
    assert part.found_pct == 100 * whole == 80.0
    assert part.places == 60


def test_few_deep_places_do_not_make_a_share() -> None:
    """Nineteen are too few: all within the moving scan count, and all where those are few too."""
    found = np.arange(60) < 30
    few, many = np.arange(60) < 19, np.arange(60) < 40
    assert found_share(found, deep=few, shown=many) == 0.75
    assert found_share(found, deep=few, shown=few) == 0.5
    assert found_share(found[:0], deep=few[:0], shown=few[:0]) == 0.0


def test_a_part_where_next_to_none_finds_a_partner_is_named() -> None:
    """Four of 50 are next to none; five are not. A part that is shown by 24 of 50 is not judged."""
    names = np.repeat(["left lower", "left upper", "right lower", "right upper"], 50)
    found, deep = np.zeros(200, bool), np.ones(200, bool)
    found[:4] = found[50:55] = found[150:] = True
    shown = (np.arange(200) < 124) | (names == "right upper")
    assert unmatched_regions(found, names, deep=deep, shown=shown) == ("left lower",)
    nothing = np.zeros(0, bool)
    assert unmatched_regions(nothing, names[:0], deep=nothing, shown=nothing) == ()


def test_few_partners_in_all_parts_single_out_none() -> None:
    """A scan on coarse voxels: of 50 places 4 have a partner here and 12 there."""
    names = np.repeat(["left lower", "left upper"], 50)
    found = np.zeros(100, bool)
    found[:4] = found[50:62] = True
    assert unmatched_regions(found, names, **everywhere(100)) == ()
