"""The displacement that a stationary velocity field makes in one unit of time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.spatial.displacement import CPU, index_grid, sample
from lungreg.spatial.geometry import Grid

_STEP_VOX = 0.25
"""Largest motion of the first step, in voxels."""
_MOST_SQUARINGS = 20


def integrate_velocity(
    velocity_mm: NDArray[np.float32], grid: Grid, *, device: torch.device = CPU
) -> NDArray[np.float32]:
    """`exp(v)(x) - x` by scaling and squaring (Arsigny et al. 2006, MICCAI).

    The first, small step is by the midpoint rule.

    Args:
        velocity_mm: (3, X, Y, Z) RAS mm in a unit of time, at the nodes of `grid`.
        grid: Where it is given.
        device: Where to compute.

    Returns:
        (3, X, Y, Z) displacement, RAS mm.
    """
    to_vox = torch.as_tensor(np.linalg.inv(grid.affine[:3, :3]).copy(), device=device)
    velocity = torch.as_tensor(velocity_mm, device=device).double()
    step = torch.einsum("kl,lxyz->kxyz", to_vox, velocity)[None]
    largest = float(step.norm(dim=1).max())
    squarings = int(np.ceil(np.log2(max(largest / _STEP_VOX, 1.0))))
    squarings = min(squarings, _MOST_SQUARINGS)
    step = step / 2**squarings
    places = index_grid(grid.shape, device=device).double()[None]
    step = sample(step, places + step / 2)
    for _ in range(squarings):
        step = step + sample(step, places + step)
    back = torch.as_tensor(grid.affine[:3, :3].copy(), device=device)
    return np.asarray(torch.einsum("kl,lxyz->kxyz", back, step[0]).float().cpu().numpy())
