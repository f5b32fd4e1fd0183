"""Improve the transform of one pair by optimisation, with or without a network's start."""

from __future__ import annotations

from lungreg.registration.refinement.optimise import Refined, refine, refinement_estimate
from lungreg.registration.refinement.plan import Level, Plan, plan_for
from lungreg.registration.refinement.step import OnStep, Step

__all__ = [
    "Level",
    "OnStep",
    "Plan",
    "Refined",
    "Step",
    "plan_for",
    "refine",
    "refinement_estimate",
]
