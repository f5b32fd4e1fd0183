"""Simulate breathing pairs with a known transform, from an analytic chest or a real CT."""

from __future__ import annotations

from lungreg.sources.simulation.analytic import simulate_pair
from lungreg.sources.simulation.cohort import (
    DEFAULT_SHAPE,
    DEFAULT_SPACING_MM,
    simulate_cohort,
    write_pair,
)
from lungreg.sources.simulation.real import simulate_from_ct
from lungreg.sources.simulation.records import Anatomy, BreathingSettings, SimulatedPair

__all__ = [
    "DEFAULT_SHAPE",
    "DEFAULT_SPACING_MM",
    "Anatomy",
    "BreathingSettings",
    "SimulatedPair",
    "simulate_cohort",
    "simulate_from_ct",
    "simulate_pair",
    "write_pair",
]
