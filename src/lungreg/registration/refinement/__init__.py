"""Improve the transform of one pair by optimisation, with or without a network's start."""

from __future__ import annotations

from lungreg.registration.refinement.optimise import (
    OnStep,
    Refined,
    Step,
    refine,
    refinement_estimate,
)
from lungreg.registration.refinement.plan import Level, Plan, plan_for

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
