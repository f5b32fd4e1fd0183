"""What one step of descent compares, and how it weighs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lungreg.registration.refinement.parts import Part
from lungreg.registration.refinement.plan import Level, Plan
from lungreg.registration.refinement.sampling import ChannelTable
from lungreg.spatial.geometry import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A part of the places of a level."""

    part: Part
    moving: ChannelTable
    """Features of the moving scan, then its share of lung, then 1 where it has data."""
    grid: Grid
    """Of the level."""
    level: Level
    plan: Plan
    stiffness: Tensor
    """(X, Y, Z) factor of the roughness at each node."""
    scale: float
    """Factor of the places' summed distance, for the mean of all places at the lungs."""
    extent: float
    """Voxels of the level per place at the lungs: factor of the roughness, for that per lung."""
    seen: float = 1.0
    """Share of the places, by weight, that the moving scan shows at the start of the level."""

    @property
    def spacing_mm(self) -> float:
        """Of the level's voxels."""
        return float(self.grid.spacing_mm[0])

    @property
    def smoothness(self) -> float:
        """Weight of the mean roughness of the nodes: the same for lungs in a wide grid."""
        return self.level.smoothness * self.extent

    @property
    def node_mm(self) -> float:
        """From node to node."""
        return self.spacing_mm * self.level.control
