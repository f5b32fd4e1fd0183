"""What is compared in, next to and around the lungs, and how their motion may differ at the wall.

Lungs slide along the chest wall: tissue next to them tells how they lie, but not how they move, and
a motion that must be smooth across the wall is wrong on both sides of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.registration.refinement.features import cube_max, pooled
from lungreg.registration.refinement.plan import Level, Plan
from lungreg.registration.refinement.scene import Scene

_WIDEST_VESSEL_MM = 8.0
"""That a mask may leave out of the lungs without parting them there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceWeights:
    """How much each voxel of a level counts, (1, 1, X, Y, Z) each."""

    lungs: Tensor
    """Share of lung, vessels among it."""
    tissue: Tensor
    """Of the features' distance: 1 in the lungs, by the level less next to and around them."""
    outline: Tensor
    """Of the distance of the shares of lung: 1 in the lungs and next to them."""

    @property
    def either(self) -> Tensor:
        """The larger of both: not 0 where something is compared."""
        return torch.maximum(self.tissue, self.outline)


def place_weights(scene: Scene, factor: int, level: Level, plan: Plan) -> PlaceWeights:
    """How much each voxel of a level counts; nothing where the fixed scan has no data.

    Args:
        scene: Both scans.
        factor: Voxels of the scene per voxel of the level.
        level: Its weights of what is not lung.
        plan: Distances from the lungs.
    """
    spacing_mm = float(scene.grid.spacing_mm[0]) * factor
    whole = _closed(pooled(scene.lungs, factor), _voxels(_WIDEST_VESSEL_MM / 2, spacing_mm))
    lungs = (whole > 0.5).to(torch.uint8)
    near = cube_max(lungs, _voxels(plan.around_mm, spacing_mm))
    wide = cube_max(near, _voxels(plan.body_mm, spacing_mm))
    shown = pooled(scene.fixed_shown, factor) > 0.99
    body = level.body_weight * wide
    beside = torch.maximum(body, level.around_weight * near)
    return PlaceWeights(
        lungs=whole,
        tissue=torch.maximum(beside, lungs) * shown,
        outline=torch.maximum(body, near) * shown,
    )


def stiffness(lungs: Tensor, level: Level, nodes: Sequence[int]) -> Tensor:
    """(X, Y, Z) factor of the roughness at each node: less where its neighbours are not all lung.

    As in the adaptive regularity of Pace et al. (2013, doi:10.1109/TMI.2013.2274777), but the same
    along and across the wall: the outline holds the motion across it.

    Args:
        lungs: (1, 1, X, Y, Z) share of lung in the voxels of the level.
        level: Distance of the nodes and the factor at the wall.
        nodes: Number of nodes along each axis.
    """
    most, least = cube_max(lungs, level.control), _cube_min(lungs, level.control)
    wall = at_nodes(most - least, level.control, nodes)
    return 1 - (1 - level.wall_stiffness) * wall


def at_nodes(volume: Tensor, control: int, nodes: Sequence[int]) -> Tensor:
    """(X, Y, Z) a volume (1, 1, U, V, W) at the nodes on every `control`-th voxel."""
    beyond = (
        max(0, (count - 1) * control + 1 - size)
        for count, size in zip(nodes[::-1], volume.shape[:1:-1], strict=True)
    )
    padding = [part for end in beyond for part in (0, end)]
    there = nnf.pad(volume, padding, mode="replicate")[0, 0, ::control, ::control, ::control]
    return there[: nodes[0], : nodes[1], : nodes[2]].contiguous()


def _closed(lungs: Tensor, radius: int) -> Tensor:
    """Without holes and gaps of up to twice the radius: morphological closing."""
    return _cube_min(cube_max(lungs, radius), radius)


def _cube_min(share: Tensor, radius: int) -> Tensor:
    return 1 - cube_max(1 - share, radius)


def _voxels(distance_mm: float, spacing_mm: float) -> int:
    """The nearest number of voxels, at least one."""
    return max(1, round(distance_mm / spacing_mm))
