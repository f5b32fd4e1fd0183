"""The choice of `A`, the affine that lays the moving scan over the fixed one before the network."""

from __future__ import annotations

from lungreg.registration.alignment.choice import (
    InitialAlignment,
    align,
    centre_affine,
    grid_affine,
    initial_alignment,
)

__all__ = ["InitialAlignment", "align", "centre_affine", "grid_affine", "initial_alignment"]
