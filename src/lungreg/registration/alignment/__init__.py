"""The initial alignment `A`: an affine from the fixed to the moving scan, before registration."""

from __future__ import annotations

from lungreg.registration.alignment.choice import (
    InitialAlignment,
    align,
    initial_alignment,
)
from lungreg.registration.alignment.starts import centre_affine, grid_affine

__all__ = ["InitialAlignment", "align", "centre_affine", "grid_affine", "initial_alignment"]
