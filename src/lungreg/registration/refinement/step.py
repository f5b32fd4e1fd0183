"""What is told after each step of a refinement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lungreg.spatial.geometry import Transform


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """The state after one step of descent, for progress and curves."""

    number: int
    """From 1, over all levels."""
    level: int
    """Number of the level, from 1."""
    levels: int
    """Number of levels."""
    done: int
    """Steps of this level so far."""
    total: int
    """Steps of this level in all; the first level counts both of its starts."""
    spacing_mm: float
    """Spacing of the level's features, mm."""
    loss: float
    transform: Callable[[], Transform]
    """Computes the transform so far."""


OnStep = Callable[[Step], None]
