"""Search the partner of each place in another volume.

Two measures that fail in different ways take part. The self-similarity of a neighbourhood
(MIND-SSC, doi:10.1007/978-3-642-40811-3_24) proposes a few candidates within the reach; the
correlation of the densities in a larger patch decides among them. Where the two best candidates are
about equally good, `margin` is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.registration.refinement.features import CHANNELS, mean_of_three, self_similarity
from lungreg.spatial.slabs import at_once

_CANDIDATES = 6
_OTHERS = 0.6
"""Of the reach: how far away the offsets lie that complete the candidates."""
_CLIMBS = 2
_COSTS_AT_ONCE = 1 << 20
"""On a GPU: 50 MB of features."""
_NO_PATCH = -1.0
_FLAT = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Searchable:
    """A volume prepared to be searched."""

    shape: tuple[int, int, int]
    features: Tensor
    """(V, 12) self-similarity, means of three voxels along each axis."""
    densities: Tensor
    """(V,) the image; not a number where the scan has no data."""
    patch: Tensor
    """(P, 3) voxels of the patch whose densities are correlated, around its centre."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Partners:
    """The best partner of each of N places."""

    steps: Tensor
    """(N, 3) from the place to its partner in voxels, to a fraction of a voxel."""
    correlation: Tensor
    """(N,) of the two patches, -1 to 1."""
    margin: Tensor
    """(N,) by how much the correlation exceeds that of the best candidate elsewhere."""


def searchable(image: Tensor, shown: Tensor, *, patch: int) -> Searchable:
    """Prepare a volume to be searched.

    Args:
        image: (X, Y, Z) densities.
        shown: (X, Y, Z) bool, where the scan has data.
        patch: Voxels from the centre of a correlated patch to its sides.
    """
    nx, ny, nz = image.shape
    features = mean_of_three(self_similarity(image[None, None]))
    return Searchable(
        shape=(nx, ny, nz),
        features=features.reshape(CHANNELS, -1).T.contiguous(),
        densities=torch.where(shown, image, torch.nan).flatten(),
        patch=_cube(patch, image.device),
    )


def find_partners(source: Searchable, target: Searchable, places: Tensor, reach: int) -> Partners:
    """The partner in `target` of each place of `source`.

    Args:
        source: The volume that the places lie in.
        target: The volume that is searched, on the same grid.
        places: (N, 3) int64 voxels.
        reach: Radius of the search in voxels.
    """
    offsets = _ball(reach, places.device)
    candidates = _candidates(_costs(source, target, places, offsets), offsets, reach)
    patches = _patches(source, places)
    scores = _scores(patches, target, places, candidates)
    best, which = scores.max(dim=1)
    chosen = _taken(candidates, which)
    elsewhere = (candidates - chosen[:, None]).abs().amax(dim=2) > 1
    second = torch.where(elsewhere, scores, _NO_PATCH).amax(dim=1)
    steps, peak = _finer(patches, target, places, chosen, best)
    return Partners(steps=steps, correlation=peak, margin=peak - second)


def _ball(reach: int, device: torch.device) -> Tensor:
    """(M, 3) the lattice points within a radius."""
    cube = _cube(reach, device)
    return cube[cube.square().sum(dim=1) <= reach * reach]


def _cube(radius: int, device: torch.device) -> Tensor:
    """((2 radius + 1)^3, 3) the lattice points of a cube around 0."""
    line = torch.arange(-radius, radius + 1, device=device)
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(3, -1).T


def _flat(volume: Searchable, voxels: Tensor) -> Tensor:
    """Index of voxels (..., 3) in the flattened volume; beyond its faces the nearest inside."""
    _, ny, nz = volume.shape
    x, y, z = (voxels[..., k].clamp(0, n - 1) for k, n in enumerate(volume.shape))
    return (x * ny + y) * nz + z


def _costs(source: Searchable, target: Searchable, places: Tensor, offsets: Tensor) -> Tensor:
    """(N, M) squared distance of the features at each offset."""
    wanted = source.features.index_select(0, _flat(source, places))
    costs = torch.empty(len(places), len(offsets), device=places.device)
    width = at_once(places.device, _COSTS_AT_ONCE // max(1, len(places)))
    for part, given in zip(offsets.split(width), costs.split(width, dim=1), strict=True):
        there = target.features[_flat(target, places[:, None] + part)]
        given[:] = (there - wanted[:, None]).square_().sum(dim=2)
    return costs


def _candidates(costs: Tensor, offsets: Tensor, reach: int) -> Tensor:
    """(N, K, 3) the deepest local minima of the costs in the ball.

    Where there are fewer, offsets along the axes stand in for them: what the best is compared with
    is then the same on every device, where `topk` alone takes any of the offsets that are none.
    """
    side = 2 * reach + 1
    cube = torch.full((len(costs), side**3), -torch.inf, device=costs.device)
    x, y, z = (offsets + reach).T
    index = (x * side + y) * side + z
    cube[:, index] = -costs
    volume = cube.reshape(-1, 1, side, side, side)
    peak = nnf.max_pool3d(volume, 3, stride=1, padding=1) == volume
    depth = torch.where(peak, volume, -torch.inf).reshape(len(costs), -1)[:, index]
    deepest, which = depth.topk(_CANDIDATES, dim=1)
    others = _along_axes(max(1, round(_OTHERS * reach)), costs.device)
    return torch.where(deepest.isinf()[..., None], others, offsets[which])


def _along_axes(length: int, device: torch.device) -> Tensor:
    """(6, 3) voxels at a distance along each axis, forth and back."""
    unit = torch.eye(3, dtype=torch.int64, device=device) * length
    return torch.cat([unit, -unit])


def _patches(volume: Searchable, centres: Tensor) -> Tensor:
    """(N, P) densities around centres (N, 3), of mean 0 and length 1."""
    values = volume.densities[_flat(volume, centres[:, None] + volume.patch)]
    values = values - values.mean(dim=1, keepdim=True)
    scaled: Tensor = values / values.norm(dim=1, keepdim=True).clamp(min=_FLAT)
    return scaled


def _scores(patches: Tensor, target: Searchable, places: Tensor, steps: Tensor) -> Tensor:
    """(N, K) correlation of each place's patch with those at its candidates (N, K, 3)."""
    scores = [
        (patches * _patches(target, places + steps[:, k])).sum(dim=1) for k in range(steps.shape[1])
    ]
    return torch.stack(scores, dim=1).nan_to_num(_NO_PATCH)


def _finer(
    patches: Tensor, target: Searchable, places: Tensor, steps: Tensor, best: Tensor
) -> tuple[Tensor, Tensor]:
    """Climb to the best voxel nearby, then to the top of a parabola along each axis."""
    around = _along_axes(1, places.device)
    near = _scores(patches, target, places, steps[:, None] + around)
    for _ in range(_CLIMBS):
        high, which = near.max(dim=1)
        climbs = high > best
        steps = torch.where(climbs[:, None], steps + around[which], steps)
        best = torch.maximum(best, high)
        moved = torch.nonzero(climbs)[:, 0]
        near[moved] = _scores(patches[moved], target, places[moved], steps[moved][:, None] + around)
    forth, back = near[:, :3], near[:, 3:]
    bend = (2 * best[:, None] - forth - back).clamp(min=_FLAT)
    return steps + ((forth - back) / (2 * bend)).clamp(-0.5, 0.5), best


def _taken(candidates: Tensor, which: Tensor) -> Tensor:
    """(N, 3) one candidate of each place."""
    return candidates.gather(1, which.view(-1, 1, 1).expand(-1, 1, 3))[:, 0]
