"""Estimated errors by part of the lungs."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.metrics.estimated_error import error_by_region


def test_figures_of_each_part() -> None:
    """Means, percentiles and shares over the places that found a partner; the worst part first."""
    near = np.arange(20) / 10
    far = np.concatenate([np.full(10, 2.0), np.full(10, 6.0), np.full(20, np.nan)])
    names = np.array(["left upper"] * 20 + ["right lower"] * 40)
    worst, best = error_by_region(np.concatenate([near, far]), names)
    assert (worst.region, worst.places, worst.found_pct) == ("right lower", 40, 50.0)
    assert (worst.mean_mm, worst.median_mm, worst.p95_mm) == (4.0, 4.0, 6.0)
    assert (worst.beyond_3mm_pct, worst.beyond_5mm_pct) == (50.0, 50.0)
    assert best.region == "left upper"
    assert best.mean_mm == pytest.approx(0.95)
    assert best.found_pct == 100.0
    assert str(worst) == "right lower: 4.0 mm (95 % below 6.0 mm), 50 % found"


def test_parts_with_few_partners_are_left_out() -> None:
    """A percentile of fourteen says little."""
    errors = np.concatenate([np.ones(14), np.ones(15)])
    names = np.array(["left upper"] * 14 + ["left lower"] * 15)
    assert [part.region for part in error_by_region(errors, names)] == ["left lower"]
    assert error_by_region(np.full(30, np.nan), np.array(["left upper"] * 30)) == ()
