"""The places at which scans are compared, and the parts of them that single steps look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from lungreg.registration.refinement.field import enlarge
from lungreg.registration.refinement.lung_wall import PlaceWeights
from lungreg.spatial.geometry import Grid

Lattice = tuple[slice, slice, slice]
"""Every few voxels along each axis."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fixed:
    """The fixed scan on one level, as volumes; the places are the voxels with a weight."""

    features: tuple[Tensor, ...]
    """(1, C, X, Y, Z) each."""
    lungs: Tensor
    """(1, 1, X, Y, Z) share of fixed lung."""
    weights: PlaceWeights
    """0 in both where nothing is compared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Voxels at which the scans are compared, with the fixed scan's features."""

    voxels: Tensor
    """(N, 3) int32 voxel coordinates."""
    features: Tensor
    """(N, F) of the fixed scan."""
    lungs: Tensor
    """(N,) share of fixed lung."""
    weight: Tensor
    """(N,) of the features."""
    outline_weight: Tensor
    """(N,) of the shares of lung."""

    @property
    def index(self) -> Tensor:
        """(3, N) voxel coordinates, for arithmetic."""
        return self.voxels.T.float()


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The places on a lattice of every few voxels."""

    places: Places
    lattice: Lattice
    """The voxels of the lattice along each axis."""
    flat: Tensor
    """(N,) index of each place in the flattened lattice."""


def moved_places(nodes: Tensor, part: Part, control: int, grid: Grid) -> Tensor:
    """(3, N) voxel coordinates of the places of a part after a displacement, differentiable.

    Args:
        nodes: (3, X, Y, Z) displacement at the nodes along the grid's axes, mm.
        part: Of the places.
        control: Voxels from node to node.
        grid: Of the level.
    """
    dense_mm = enlarge(nodes, control, grid.shape, part.lattice)
    shift_mm = dense_mm.reshape(3, -1).index_select(1, part.flat)
    return part.places.index + shift_mm / float(grid.spacing_mm[0])


def split(fixed: Fixed, most: int) -> list[Part]:
    """Parts of at most about `most` places, each spread evenly: a lattice, shifted for each part.

    What is interpolated for a step, is interpolated on its lattice alone.

    Args:
        fixed: The fixed scan on a level.
        most: Places of a part, about.
    """
    compared = fixed.weights.either[0, 0] > 0
    steps = _steps(int(torch.count_nonzero(compared)) / most)
    parts = (_part(fixed, compared, lattice) for lattice in _lattices(steps))
    return [part for part in parts if part.flat.numel()]


def _lattices(steps: tuple[int, int, int]) -> Iterator[Lattice]:
    for x, y, z in itertools.product(*map(range, steps)):
        yield slice(x, None, steps[0]), slice(y, None, steps[1]), slice(z, None, steps[2])


def _part(fixed: Fixed, compared: Tensor, lattice: Lattice) -> Part:
    chosen = compared[lattice]
    flat = torch.nonzero(chosen.flatten())[:, 0].int()
    return Part(
        places=Places(
            voxels=_voxels(flat, chosen.shape, lattice),
            features=torch.cat(
                [_at(part, lattice, flat) for part in fixed.features]
            ).T.contiguous(),
            lungs=_at(fixed.lungs, lattice, flat)[0],
            weight=_at(fixed.weights.tissue, lattice, flat)[0],
            outline_weight=_at(fixed.weights.outline, lattice, flat)[0],
        ),
        lattice=lattice,
        flat=flat,
    )


def _at(volume: Tensor, lattice: Lattice, flat: Tensor) -> Tensor:
    """(C, N) the values of a volume (1, C, X, Y, Z) at places of a lattice."""
    return volume[0][:, *lattice].flatten(1).index_select(1, flat)


def _voxels(flat: Tensor, shape: torch.Size, lattice: Lattice) -> Tensor:
    """(N, 3) voxels at indices of a flattened lattice. `torch.unravel_index` imports sympy."""
    line, z = flat // shape[2], flat % shape[2]
    cells = line // shape[1], line % shape[1], z
    return torch.stack(
        [cell * axis.step + axis.start for cell, axis in zip(cells, lattice, strict=True)], dim=1
    )


def _steps(parts: float) -> tuple[int, int, int]:
    """Voxels between those of a lattice along each axis, for at least so many lattices."""
    steps = [1, 1, 1]
    while prod(steps) < parts:
        steps[steps.index(min(steps))] += 1
    return steps[0], steps[1], steps[2]
