"""Distinctive places of a scan: where its structure differs in every direction.

The operator of Foerstner and Guelch (1987) in three dimensions, as corrField uses it for lungs
(Heinrich, Handels and Simpson 2015, doi:10.1007/978-3-319-24574-4_41).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lungreg.registration.refinement.features import cube_max, mean_of_three

_SMALLEST_MINORS = 1e-6
"""Of the largest: below it there is no structure in two directions."""


def keypoints(image: Tensor, inside: Tensor, *, most: int, cell: int) -> Tensor:
    """Voxels of the most distinctive places inside a mask, spread over it.

    Each cell of a regular division of the volume gives its best place first, so that a region
    with little structure still has some.

    Args:
        image: (X, Y, Z) any unit.
        inside: (X, Y, Z) bool, where places may lie.
        most: Largest number of places.
        cell: Voxels along each side of a cell.

    Returns:
        (N, 3) int64 voxel indices.
    """
    strength = torch.where(inside, distinctiveness(image), 0.0)
    peaks = cube_max(strength[None, None], 1)[0, 0]
    places = torch.nonzero((strength == peaks) & (strength > 0))
    order = torch.argsort(strength[tuple(places.T)], descending=True, stable=True)
    places = places[order]
    return places[torch.argsort(_rank_in_cell(places // cell), stable=True)[:most]]


def distinctiveness(image: Tensor) -> Tensor:
    """(X, Y, Z) 1 / trace of the inverse structure tensor: large at corners, small along edges."""
    smooth = mean_of_three(image[None, None])
    x, y, z = (_slope(smooth, dim) for dim in (2, 3, 4))
    a, b, c = (mean_of_three(x * other) for other in (x, y, z))
    d, e, f = mean_of_three(y * y), mean_of_three(y * z), mean_of_three(z * z)
    yz, xz, xy = d * f - e * e, b * f - c * e, b * e - c * d
    minors = yz + (a * f - c * c) + (a * d - b * b)
    determinant = a * yz - b * xz + c * xy
    least = _SMALLEST_MINORS * float(minors.max())
    flat = minors <= least
    return torch.where(flat, 0.0, determinant / torch.where(flat, 1.0, minors)).clamp(min=0)[0, 0]


def _rank_in_cell(cells: Tensor) -> Tensor:
    """(N,) the number of places before each one that lie in the same cell."""
    _, number = torch.unique(cells, dim=0, return_inverse=True)
    order = torch.argsort(number, stable=True)
    ordered = number[order].contiguous()
    rank = torch.empty_like(number)
    first = torch.searchsorted(ordered, ordered)
    rank[order] = torch.arange(len(number), device=number.device) - first
    return rank


def _slope(volume: Tensor, dim: int) -> Tensor:
    (slope,) = torch.gradient(volume, dim=dim)
    return slope
