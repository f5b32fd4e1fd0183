"""What the terms of the loss get: one case with the displacement that the network found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lungreg.config import Loss
from lungreg.spatial.displacement import index_grid, mapped, warp
from lungreg.spatial.geometry import FloatArray, Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class LossInput:
    """One case with the displacement that the network found; every volume has a batch axis of 1.

    A voxel `i` of the tensors shows the point `x = grid(motion(i))` of the fixed scan, and the
    network says that its tissue lies at `A(grid(motion(i + d(i))))` in the moving scan.
    """

    fixed: Tensor
    """(1, 1, X, Y, Z) in [0, 1]."""
    moving: Tensor
    """(1, 1, X, Y, Z) in [0, 1], after `A`."""
    displacement_vox: Tensor
    """(1, 3, X, Y, Z) `d` in network voxels."""
    grid: Grid
    """The network's grid in the fixed scan's world; its box is that of the fixed scan."""
    affine: FloatArray = field(default_factory=lambda: np.eye(4))
    """(4, 4) `A`, fixed RAS mm to moving RAS mm."""
    moving_grid: Grid | None = None
    """Grid of the moving scan in its own world; None for one without end."""
    motion: FloatArray | None = None
    """(4, 4) from voxels of the tensors to those of `grid`; None for the same."""
    fixed_mask: Tensor | None = None
    """(1, 1, X, Y, Z), 1 in the lungs."""
    moving_mask: Tensor | None = None
    """(1, 1, X, Y, Z), after `A`."""
    fixed_points_vox: Tensor | None = None
    """(N, 3) landmarks in network voxels."""
    moving_points_vox: Tensor | None = None
    """(N, 3) their partners, carried back through `A` onto the network's grid."""

    true_displacement_mm: Tensor | None = None
    """(1, 3, X, Y, Z) the true `T(x) - x` of the point that each voxel shows, RAS mm."""

    @property
    def warped(self) -> Tensor:
        """(1, 1, X, Y, Z) the moving scan after the network's displacement."""
        return warp(self.moving, self.displacement_vox)

    @property
    def to_grid(self) -> FloatArray:
        """(4, 4) from voxels of the tensors to those of `grid`."""
        return np.eye(4) if self.motion is None else self.motion

    @property
    def to_fixed_mm(self) -> FloatArray:
        """(4, 4) from voxels of the tensors to the fixed scan's world, RAS mm."""
        return np.asarray(self.grid.affine @ self.to_grid)

    @property
    def to_moving_mm(self) -> FloatArray:
        """(4, 4) from voxels of the tensors, through `A`, to the moving scan's world, RAS mm."""
        return np.asarray(self.affine @ self.to_fixed_mm)

    @property
    def fixed_shown(self) -> Tensor:
        """(X, Y, Z) bool, where the fixed scan has data and not just filling.

        Filled is what augmentation moved in from beyond the network's grid.
        """
        here = index_grid(self.grid.shape, device=self.fixed.device)
        return _inside(here, self.to_grid, self.grid)

    @property
    def both_shown(self) -> Tensor:
        """(X, Y, Z) bool, where both scans, the moving one warped, have data and not just filling.

        Filled is what lies beyond the box of a scan, and what augmentation moved in from beyond the
        network's grid.
        """
        here = index_grid(self.grid.shape, device=self.fixed.device)
        there = here + self.displacement_vox.detach()[0]
        shown = self.fixed_shown & _inside(there, self.to_grid, self.grid)
        if self.motion is not None:
            shown &= _inside(there, np.eye(4), self.grid)
        if self.moving_grid is not None:
            to_moving = np.linalg.inv(self.moving_grid.affine) @ self.to_moving_mm
            shown &= _inside(there, to_moving, self.moving_grid)
        return shown


Term = Callable[[LossInput, Loss], Tensor | None]
"""A loss of one case, a scalar tensor; None where the case lacks what the term needs."""


def _inside(points: Tensor, to_index: FloatArray, grid: Grid) -> Tensor:
    """(X, Y, Z) bool, which points lie in the box of a grid's voxels after a map onto them."""
    index = mapped(to_index, points)
    ends = torch.tensor(grid.shape, device=points.device).view(3, 1, 1, 1) - 0.5
    return ((index >= -0.5) & (index <= ends)).all(dim=0)
