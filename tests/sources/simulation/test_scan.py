"""What every simulated pair goes through at last: cut bases, and noise."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.sources.simulation import BreathingSettings, SimulatedPair, simulate_pair
from tests.sources.simulation.conftest import SMALL_SHAPE, SMALL_SPACING_MM


def test_cutoff_takes_the_bases(pairs: list[SimulatedPair], cut_pair: SimulatedPair) -> None:
    """40 mm less lung below, the same lung above, and only the expiration is cut."""
    assert (cut_pair.fixed_mask[..., 0] > 0).any()
    assert not (pairs[0].fixed_mask[..., 0] > 0).any()
    assert cut_pair.moving_grid.same_as(pairs[0].moving_grid)
    bottoms = [
        p.fixed_grid.to_world(np.argwhere(p.fixed_mask > 0).astype(float))[:, 2].min()
        for p in (cut_pair, pairs[0])
    ]
    assert bottoms[0] - bottoms[1] == pytest.approx(40.0, abs=3.0)
    lost = pairs[0].fixed_grid.shape[2] - cut_pair.fixed_grid.shape[2]
    np.testing.assert_array_equal(cut_pair.fixed_mask, pairs[0].fixed_mask[..., lost:])
    np.testing.assert_array_equal(cut_pair.displacement_mm, pairs[0].displacement_mm[..., lost:])


def test_each_scan_has_its_own_noise() -> None:
    """The noise has the strength asked for and is not the same in both scans."""
    quiet, loud = (
        simulate_pair(
            2,
            0,
            shape=SMALL_SHAPE,
            spacing_mm=SMALL_SPACING_MM,
            settings=BreathingSettings(noise_hu=noise_hu),
        )
        for noise_hu in (0.0, 30.0)
    )
    inner = (slice(12, 28), slice(8, 26), slice(6, 34))
    noise = [
        (getattr(loud, name).astype(float) - getattr(quiet, name))[inner].ravel()
        for name in ("fixed", "moving")
    ]
    assert [n.std() for n in noise] == pytest.approx([30.0, 30.0], rel=0.1)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.05
