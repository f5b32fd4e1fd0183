"""The true motion and its inverse."""

from __future__ import annotations

import numpy as np

from lungreg.sources.simulation import Anatomy, BreathingSettings
from lungreg.sources.simulation.breathing import draw_breathing
from lungreg.sources.simulation.chest import measure_chest


def test_breathing_there_and_back(oblique_anatomy: Anatomy) -> None:
    """`to_fixed` inverts `to_moving` to a fiftieth of a millimetre inside the lungs."""
    a = oblique_anatomy
    chest = measure_chest(a.mask, a.grid)
    settings = BreathingSettings(diaphragm_mm=(45.0, 45.0))
    breathing = draw_breathing(np.random.default_rng(3), chest, a.grid, settings)
    back = breathing.to_moving(breathing.to_fixed(chest.points_ras))
    assert np.linalg.norm(back - chest.points_ras, axis=1).max() < 0.02
    expansion = breathing.expansion(breathing.to_fixed(chest.points_ras[::50]))
    assert expansion.min() > 0.5
    assert expansion.mean() > 1.15
