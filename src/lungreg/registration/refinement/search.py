"""Discrete search for large motion, which gradient descent from zero would not find.

Every place tries every displacement of a lattice; the choices are brought into line with their
neighbours by alternating between choosing and smoothing (coupled convex optimisation, Steinbruecker
et al. 2009; for MIND, Heinrich et al. 2014, doi:10.1007/978-3-319-08554-8_18).
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.registration.refinement.features import mean_of_three
from lungreg.spatial.slabs import at_once, slabs

_STILL = 1e-6
_COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SLAB_COSTS = 1_000_000
"""Costs compared at once: so few that they stay near the processor."""


def search(fixed: Tensor, moving: Tensor, weight: Tensor, reach: int) -> Tensor:
    """The displacement of every voxel of a coarse level.

    Args:
        fixed: (1, C, X, Y, Z) features.
        moving: (1, C, X, Y, Z) features.
        weight: (1, 1, X, Y, Z) weight of each place; at 0 its neighbours decide.
        reach: Most voxels along each axis.

    Returns:
        (3, X, Y, Z) displacement in voxels.
    """
    costs = _costs(fixed, moving, weight, reach)
    steps = torch.arange(-reach, reach + 1, device=fixed.device)
    lattice = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, -1).float()
    shape = fixed.shape[2:]
    # Where nothing is compared all costs are 0: there the least displacement is as good as any.
    still = torch.zeros(3, costs.shape[1], device=fixed.device)
    field = _smooth(lattice[:, _choose(costs, lattice, still, _STILL)].reshape(1, 3, *shape))
    for coupling in _COUPLING:
        chosen = _choose(costs, lattice, field.reshape(3, -1), coupling)
        field = _smooth(lattice[:, chosen].reshape(1, 3, *shape))
    return field[0]


def _costs(fixed: Tensor, moving: Tensor, weight: Tensor, reach: int) -> Tensor:
    """(displacements, voxels) feature distances, means over 3 voxels along each axis."""
    shape = fixed.shape[2:]
    padded = nnf.pad(moving, (reach,) * 6, mode="replicate")
    side = 2 * reach + 1
    costs = torch.empty(side**3, *shape, device=fixed.device)
    width = at_once(fixed.device, side)
    # One room for all: large memory that is taken anew each time costs as much as the sums.
    apart = fixed.new_empty(width, *fixed.shape[1:])
    rows = padded[0].unfold(3, shape[2], 1).movedim(3, 0)
    for number in range(0, side**3, width):
        x, y, z = number // side**2, number // side % side, number % side
        part = rows[z : z + width, :, x : x + shape[0], y : y + shape[1]]
        cost = torch.sub(part, fixed, out=apart).square_().sum(dim=1, keepdim=True)
        costs[number : number + width] = _smooth(cost.mul_(weight))[:, 0]
    return costs.reshape(side**3, -1)


def _choose(costs: Tensor, lattice: Tensor, field: Tensor, coupling: float) -> Tensor:
    """(voxels,) the displacement of least cost and distance to the field, slab by slab."""
    chosen = torch.empty(costs.shape[1], dtype=torch.long, device=costs.device)
    length = lattice.square().sum(dim=0)[:, None]
    for start, stop in slabs(costs.shape[::-1], SLAB_COSTS):
        part = slice(start, stop)
        total = torch.addmm(costs[:, part], lattice.T, field[:, part], alpha=-2 * coupling)
        chosen[part] = total.add_(length, alpha=coupling).min(dim=0).indices
    return chosen


def _smooth(volumes: Tensor) -> Tensor:
    """Two means over 3 voxels along each axis, the edges repeated."""
    return mean_of_three(mean_of_three(volumes))
