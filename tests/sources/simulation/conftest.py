"""Simulated pairs that several tests look at."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.sources.simulation import Anatomy, BreathingSettings, SimulatedPair, simulate_pair
from lungreg.spatial.geometry import Grid

SHAPE = (84, 70, 84)
SPACING_MM = (3.6, 3.6, 3.4)
SMALL_SHAPE = (40, 34, 40)
SMALL_SPACING_MM = (7.5, 7.5, 7.2)


@pytest.fixture(scope="session")
def pairs() -> list[SimulatedPair]:
    """Two cases of one cohort."""
    return [simulate_pair(11, i, shape=SHAPE, spacing_mm=SPACING_MM) for i in range(2)]


@pytest.fixture(scope="session")
def cut_pair() -> SimulatedPair:
    """A case whose expiration lacks 40 mm of the bases."""
    settings = BreathingSettings(cutoff_mm=40.0)
    return simulate_pair(11, 0, shape=SHAPE, spacing_mm=SPACING_MM, settings=settings)


@pytest.fixture(scope="session")
def oblique_anatomy() -> Anatomy:
    """An inspiration without noise, lying askew in the scanner, anisotropic."""
    settings = BreathingSettings(noise_hu=0.0)
    pair = simulate_pair(12, 0, shape=(60, 50, 40), spacing_mm=(5.0, 5.0, 7.0), settings=settings)
    a, b = 0.25, 0.15
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.array(
        [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    )
    affine = np.array(pair.moving_grid.affine)
    affine[:3] = turn @ affine[:3]
    affine[:3, 3] += (31.0, -200.0, 415.0)
    grid = Grid(shape=pair.moving_grid.shape, affine=affine)
    return Anatomy(ct=pair.moving, mask=pair.moving_mask, grid=grid)
