"""Continue the motion of the lungs beyond their wall, where the body moves otherwise.

Between nodes the motion is linear: a node beyond the wall that moves with the ribs holds back the
lung beside it, although the lungs slide along them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.registration.refinement.features import cube_max, mean_of_three

_NODES = (2, 3, 4)
"""How far, in nodes, the motion of the lungs is continued; its share falls beyond the first."""
_SLID_MM = 3.0
"""Difference between both motions of which half is taken for sliding."""
_DEVIATION, _REACH = 1.0, 3
"""Standard deviation and end of the Gaussian, in steps of two nodes."""
_RIDGE = 0.12
"""Spread of the known nodes, in steps squared, below which derivatives are not trusted."""
_FEWEST = 1e-3
"""Weight of what is known around a place, below which nothing is told."""
_Powers = tuple[int, int, int]
"""Of the distances along the three axes."""
_TERMS: tuple[_Powers, ...] = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
"""A motion that is linear in the distance: its value, then its derivatives."""


def continued(nodes: Tensor, lungs: Tensor) -> Tensor:
    """A displacement that beyond the lungs goes on as in them, where it did not do so anyway.

    Args:
        nodes: (3, X, Y, Z) displacement, mm.
        lungs: (X, Y, Z) share of lung at the nodes.

    Returns:
        (3, X, Y, Z), in the lungs and far from them as before.
    """
    inside = (lungs > 0.5).to(nodes)[None, None]
    reached = torch.cat([cube_max(inside, reach) for reach in _NODES]).mean(dim=0)
    gone_on = _extrapolated(nodes, inside[0])
    if gone_on is None:
        return nodes
    apart = gone_on - nodes
    squared = mean_of_three(apart.square().sum(dim=0)[None, None])[0]
    share = reached * (1 - inside[0]) * squared / (squared + _SLID_MM**2)
    return nodes + share * apart


def _extrapolated(nodes: Tensor, inside: Tensor) -> Tensor | None:
    """(3, X, Y, Z) what nodes inside (1, X, Y, Z) tell of all, by local linear regression.

    Weighted by a Gaussian (Cleveland 1979, doi:10.1080/01621459.1979.10481038), on means of 2 x 2 x
    2 nodes. None where there is no room or nothing inside.
    """
    if min(nodes.shape[1:]) < 2:
        return None
    odd = [part for size in nodes.shape[:0:-1] for part in (0, size % 2)]
    known = nnf.avg_pool3d(nnf.pad(torch.cat([inside, inside * nodes]), odd), 2)
    weights = _moments(known[:1], most=2)
    seen = weights[0, 0, 0][0] > _FEWEST
    if not bool(seen.any()):
        return None
    found = nnf.avg_pool3d(nnf.pad(nodes[None], odd, mode="replicate"), 2)[0]
    found[:, seen] = _fitted(weights, _moments(known[1:], most=1), seen).T
    fine = nnf.interpolate(found[None], scale_factor=2, mode="trilinear", align_corners=False)
    nx, ny, nz = nodes.shape[1:]
    return fine[0, :, :nx, :ny, :nz]


def _fitted(weights: dict[_Powers, Tensor], values: dict[_Powers, Tensor], where: Tensor) -> Tensor:
    """(N, 3) the regression's values at places, from the moments of weights and of values."""
    sums = {powers: part[0][where] for powers, part in weights.items()}
    matrix = torch.stack(
        [torch.stack([sums[_plus(one, other)] for other in _TERMS], dim=-1) for one in _TERMS],
        dim=-2,
    )
    ridge = torch.diag(torch.tensor([0.0, _RIDGE, _RIDGE, _RIDGE])).to(matrix)
    matrix = matrix + sums[0, 0, 0][:, None, None] * ridge
    right = torch.stack([values[term][:, where].T for term in _TERMS], dim=1)
    solved: Tensor = torch.linalg.solve(matrix, right)
    return solved[:, 0]


def _plus(one: _Powers, other: _Powers) -> _Powers:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _moments(volumes: Tensor, *, most: int) -> dict[_Powers, Tensor]:
    """Sums (C, X, Y, Z) around each place, weighted by a Gaussian and by powers of the distance.

    Args:
        volumes: (C, X, Y, Z), taken as 0 beyond their faces.
        most: Largest sum of the powers along the three axes.
    """
    found: dict[_Powers, Tensor] = {}
    for x in range(most + 1):
        by_x = _weighted(volumes, 1, x)
        for y in range(most + 1 - x):
            by_y = _weighted(by_x, 2, y)
            for z in range(most + 1 - x - y):
                found[x, y, z] = _weighted(by_y, 3, z)
    return found


def _weighted(volumes: Tensor, axis: int, power: int) -> Tensor:
    """Sum along an axis, by a Gaussian and a power of the distance: the same on each device."""
    size = volumes.shape[axis]
    beyond = [part for dim in (3, 2, 1) for part in 2 * [_REACH if dim == axis else 0]]
    padded, total = nnf.pad(volumes, beyond), torch.zeros_like(volumes)
    for step in range(-_REACH, _REACH + 1):
        weight = math.exp(-0.5 * (step / _DEVIATION) ** 2) * step**power
        if weight:
            total.add_(padded.narrow(axis, _REACH + step, size), alpha=weight)
    return total
