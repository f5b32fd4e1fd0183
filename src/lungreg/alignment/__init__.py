"""The choice of `A`, the affine that lays the moving scan over the fixed one before the network."""

from __future__ import annotations

from lungreg.alignment.choice import (
    InitialAlignment,
    centre_affine,
    grid_affine,
    initial_alignment,
)
from lungreg.alignment.of_pair import align

__all__ = ["InitialAlignment", "align", "centre_affine", "grid_affine", "initial_alignment"]
