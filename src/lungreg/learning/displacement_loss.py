"""The supervised loss: how far the network's transform is from the true one."""

from __future__ import annotations

import torch
from torch import Tensor

from lungreg.config import Loss
from lungreg.learning.loss_input import LossInput
from lungreg.spatial.displacement import index_grid, mapped


def displacement(case: LossInput, settings: Loss) -> Tensor | None:
    """Mean distance in mm of the network's `T(x)` from the true one, in the moving scan's world.

    Over the voxels of the fixed lungs, or of the whole fixed scan where the case has no mask.
    """
    if case.true_displacement_mm is None:
        return None
    found = case.displacement_vox[0]
    linear = torch.as_tensor(case.to_moving_mm[:3, :3].copy()).to(found)
    still = mapped(
        case.to_moving_mm - case.to_fixed_mm,
        index_grid(case.grid.shape, device=found.device).to(found.dtype),
    )
    gap_mm = torch.einsum("kl,lxyz->kxyz", linear, found) + still - case.true_displacement_mm[0]
    distance_mm: Tensor = torch.linalg.vector_norm(gap_mm, dim=0)
    inside = case.fixed_shown if case.fixed_mask is None else case.fixed_mask[0, 0] > 0
    return (distance_mm * inside).sum() / inside.sum().clamp(min=1)
