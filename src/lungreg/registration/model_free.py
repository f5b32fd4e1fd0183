"""Estimates of the transform that need no model: the initial alignment, and what refines it."""

from __future__ import annotations

import torch

from lungreg.config import Refine
from lungreg.registration.pair import Estimate, Estimated, Pair
from lungreg.registration.refinement import refinement_estimate
from lungreg.spatial.geometry import FloatArray, affine_transform


def model_free_estimate(
    settings: Refine, device: torch.device, *, seed: int, processes: int = 1
) -> Estimate:
    """The estimate of a run without a model.

    Args:
        settings: With `enabled` false, `T` is the initial alignment `A`.
        device: Where to compute.
        seed: Of the optimisation.
        processes: Number of processes that do so at once on this machine and share its memory.
    """
    if settings.settled(with_model=False).enabled:
        return refinement_estimate(settings, device, seed=seed, processes=processes)
    return alignment_alone


def alignment_alone(pair: Pair, affine: FloatArray) -> Estimated:
    """The estimate without network and refinement: `T` is `A`."""
    return Estimated(transform=affine_transform(affine, pair.fixed.grid.resized((2, 2, 2))))
