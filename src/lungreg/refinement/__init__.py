"""Improve the transform of one pair by optimisation, with or without a network's start."""

from __future__ import annotations

from lungreg.refinement.plan import Level, Plan, plan_for
from lungreg.refinement.run import Refined, Step, refine, refinement_estimate

__all__ = ["Level", "Plan", "Refined", "Step", "plan_for", "refine", "refinement_estimate"]
