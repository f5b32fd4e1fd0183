"""The displacement during optimisation: control nodes, smoothing, interpolation, regularity.

No operation here uses atomic adds, so that the result on a GPU is deterministic.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lungreg.registration.refinement.features import mean_of_three
from lungreg.spatial.displacement import dense_displacement
from lungreg.spatial.geometry import Grid, Shape, Transform
from lungreg.spatial.total_displacement import mapped_vectors


def control_grid(level: Grid, control: int) -> Grid:
    """Nodes on every `control`-th voxel of a level, the last ones at or beyond its end."""
    nx, ny, nz = (-(-(n - 1) // control) + 1 for n in level.shape)
    scale = np.diag([control, control, control, 1.0])
    return Grid(shape=(nx, ny, nz), affine=level.affine @ scale)


def carry_over(transform: Transform, nodes: Grid, device: torch.device) -> Tensor:
    """(3, X, Y, Z) `u` of a transform at nodes, along the nodes' own axes, mm."""
    ras = dense_displacement(transform, nodes, device=device)
    along = np.ascontiguousarray(mapped_vectors(nodes.directions.T, ras))
    return torch.as_tensor(along, device=device).float()


def as_transform(displacement: Tensor, nodes: Grid, affine: np.ndarray) -> Transform:
    """The transform of a displacement (3, X, Y, Z) along the nodes' axes, mm."""
    ras = mapped_vectors(nodes.directions, displacement.detach().cpu().numpy())
    return Transform(affine=affine, displacement_mm=ras, grid=nodes)


def smoothed(nodes: Tensor) -> Tensor:
    """Means of three neighbours along each axis: Adam's steps are of one length everywhere."""
    return mean_of_three(nodes[None])[0]


def enlarge(
    nodes: Tensor, control: int, shape: Shape, lattice: tuple[slice, slice, slice] | None = None
) -> Tensor:
    """Linear between nodes: (3, X, Y, Z) at every voxel of the level, or at those of a lattice."""
    if control == 1:
        return nodes if lattice is None else nodes[:, *lattice]
    for dim, size in enumerate(shape, start=1):
        weights = _interpolation(nodes.shape[dim], control, size)
        chosen = weights if lattice is None else weights[lattice[dim - 1]]
        nodes = torch.tensordot(nodes, chosen.to(nodes), dims=([dim], [1])).movedim(-1, dim)
    return nodes


def roughness(
    nodes: Tensor, node_mm: float, kink: float, stiffness: Tensor | None = None
) -> Tensor:
    """Mean of a Huber-like norm of all second derivatives, mm of motion per mm and node.

    Quadratic below `kink`, linear above: total variation of the gradient (as in pTVreg, Vishnevskiy
    et al. 2017, doi:10.1109/TMI.2016.2610583, there of the first derivative), under which motion is
    smooth almost everywhere and may still bend where lungs slide. 0 where no node has neighbours on
    both sides along every axis.

    Args:
        nodes: (3, X, Y, Z) displacement, mm.
        node_mm: From node to node.
        kink: Second derivative per node up to which the norm is quadratic.
        stiffness: (X, Y, Z) factor at each node; 1 if None.
    """
    if min(nodes.shape[1:]) < 3:
        return nodes.new_zeros(())
    x, y, z = (nodes.diff(dim=dim) for dim in (1, 2, 3))
    total = x.diff(dim=1)[:, :, 1:-1, 1:-1].square()
    total = total + y.diff(dim=2)[:, 1:-1, :, 1:-1].square()
    total = total + z.diff(dim=3)[:, 1:-1, 1:-1].square()
    total = total + 2 * x.diff(dim=2)[:, 1:, 1:, 1:-1].square()
    total = total + 2 * x.diff(dim=3)[:, 1:, 1:-1, 1:].square()
    total = total + 2 * y.diff(dim=3)[:, 1:-1, 1:, 1:].square()
    each = (total.sum(dim=0) / node_mm**2 + kink**2).sqrt()
    return (each if stiffness is None else each * stiffness[1:-1, 1:-1, 1:-1]).mean()


def _interpolation(nodes: int, control: int, size: int) -> Tensor:
    """(size, nodes) weights."""
    place = torch.arange(size, dtype=torch.float64) / control
    return (1 - (place[:, None] - torch.arange(nodes)[None]).abs()).clamp(min=0).float()
