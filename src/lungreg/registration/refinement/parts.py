"""The places at which scans are compared, and the parts of them that single steps look at."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from lungreg.spatial.geometry import Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """The voxels at which the scans are compared on one level, with the fixed scan's features."""

    index: Tensor
    """(3, N) voxel coordinates, whole numbers."""
    features: Tensor
    """(N, F) of the fixed scan."""
    lungs: Tensor
    """(N,) share of fixed lung."""
    weight: Tensor
    """(N,) 1 at the lungs, less around them."""

    def among(self, chosen: Tensor) -> Places:
        """Those of the given numbers."""
        return Places(
            index=self.index[:, chosen],
            features=self.features[chosen],
            lungs=self.lungs[chosen],
            weight=self.weight[chosen],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The places on a lattice of every few voxels."""

    places: Places
    lattice: tuple[slice, slice, slice]
    """The voxels of the lattice along each axis."""
    flat: Tensor
    """(N,) index of each place in the flattened lattice."""

    @cached_property
    def voxels(self) -> Tensor:
        """(N, 3) int32 voxel coordinates of the places."""
        return self.places.index.T.int().contiguous()


def split(places: Places, shape: Shape, most: int) -> list[Part]:
    """Parts of at most about `most` places, each spread evenly: a lattice, shifted for each part.

    What is interpolated for a step, is interpolated on its lattice alone.

    Args:
        places: On a level.
        shape: Voxels of the level.
        most: Places of a part, about.
    """
    steps = _steps(places.index.shape[1] / most)
    step = torch.tensor(steps, device=places.index.device)[:, None]
    index = places.index.long()
    shift, cell = index % step, index // step
    number = (shift[0] * steps[1] + shift[1]) * steps[2] + shift[2]
    count = prod(steps)
    members = torch.argsort(number.short(), stable=True).split(
        number.bincount(minlength=count).tolist()
    )
    parts = []
    for first, chosen in zip(itertools.product(*map(range, steps)), members, strict=True):
        a, b, c = (slice(low, None, each) for low, each in zip(first, steps, strict=True))
        ny, nz = len(range(shape[1])[b]), len(range(shape[2])[c])
        x, y, z = cell[:, chosen]
        flat = (x * ny + y) * nz + z
        parts.append(Part(places=places.among(chosen), lattice=(a, b, c), flat=flat))
    return [part for part in parts if part.flat.numel()]


def _steps(parts: float) -> tuple[int, int, int]:
    """Voxels between those of a lattice along each axis, for at least so many lattices."""
    steps = [1, 1, 1]
    while prod(steps) < parts:
        steps[steps.index(min(steps))] += 1
    return steps[0], steps[1], steps[2]
