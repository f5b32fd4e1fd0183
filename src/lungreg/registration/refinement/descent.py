"""Gradient descent on one resolution level: feature distance and regularity, by Adam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lungreg.registration.refinement.adam import Adam
from lungreg.registration.refinement.features import pooled
from lungreg.registration.refinement.field import control_grid, smoothed
from lungreg.registration.refinement.lung_wall import at_nodes, place_weights, stiffness
from lungreg.registration.refinement.objective import loss_and_gradient, seen_share
from lungreg.registration.refinement.parts import Fixed, Part, split
from lungreg.registration.refinement.plan import Level, Plan
from lungreg.registration.refinement.sampling import ChannelTable
from lungreg.registration.refinement.scene import Scene
from lungreg.registration.refinement.task import Task
from lungreg.spatial.geometry import Grid

_LAST_STEP = 0.2
_LEAST_SEEN = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What is compared: volumes (1, C, X, Y, Z) of both scans on the scene's grid."""

    fixed: tuple[Tensor, ...]
    moving: tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """The features of both scans on one level."""

    grid: Grid
    parts: tuple[Part, ...]
    """Of the fixed scan, for the steps to take turns. The volumes they are of are not kept."""
    stiffness: Tensor
    """(X, Y, Z) factor of the roughness at each node."""
    lungs: Tensor
    """(X, Y, Z) share of lung at each node."""
    moving: ChannelTable
    """Features of the moving scan, then its share of lung, then 1 where it has data."""
    lung_places: int
    """Number of places with weight 1."""


def compare(scene: Scene, features: Features, factor: int, level: Level, plan: Plan) -> Comparison:
    """Average features to a level and choose the places to compare there.

    Args:
        scene: Both scans.
        features: Of both scans.
        factor: Voxels of the scene per voxel of the level.
        level: Weights of what is not lung.
        plan: Distances from the lungs.
    """
    grid, weights = level_grid(scene.grid, factor), place_weights(scene, factor, level, plan)
    fixed = Fixed(
        features=tuple(pooled(part, factor) for part in features.fixed),
        lungs=pooled(scene.lungs, factor),
        weights=weights,
    )
    nodes = control_grid(grid, level.control).shape
    moved = (*features.moving, scene.moving_lungs, scene.moving_shown)
    return Comparison(
        grid=grid,
        parts=tuple(split(fixed, plan.samples)),
        stiffness=stiffness(weights.lungs, level, nodes),
        lungs=at_nodes(weights.lungs, level.control, nodes),
        moving=ChannelTable(*(pooled(part, factor) for part in moved)),
        lung_places=max(1, int((weights.tissue == 1.0).sum())),
    )


def level_grid(grid: Grid, factor: int) -> Grid:
    """The grid of the means of blocks of `factor` voxels."""
    nx, ny, nz = (n // factor for n in grid.shape)
    matrix = np.diag([factor, factor, factor, 1.0])
    matrix[:3, 3] = (factor - 1) / 2
    return Grid(shape=(nx, ny, nz), affine=grid.affine @ matrix)


def descend(
    nodes: Tensor, comparison: Comparison, level: Level, plan: Plan, generator: torch.Generator
) -> Iterator[tuple[Tensor, float]]:
    """Steps of Adam (Kingma and Ba 2015) on a displacement.

    Args:
        nodes: (3, X, Y, Z) displacement at the control nodes along the grid's axes, mm.
        comparison: Both scans.
        level: Number of steps, spacing of the nodes.
        plan: Weights.
        generator: Decides in which order parts of the places are looked at.

    Yields:
        The displacement at the nodes after each step, and the loss that led there. Nothing where
        the fixed scan shows no place of this level, as a scan of a few slices: there is nothing to
        compare.
    """
    spacing_mm = float(comparison.grid.spacing_mm[0])
    tasks = list(_tasks(comparison, level, plan, nodes))
    if not tasks:
        return
    order = torch.randperm(len(tasks), generator=generator).tolist()
    parameter, adam = nodes.clone(), Adam(nodes)
    field = smoothed(parameter)
    for step in range(level.steps):
        loss, gradient = loss_and_gradient(field, tasks[order[step % len(tasks)]])
        length = 1 - (1 - _LAST_STEP) * step / level.steps
        # The means of neighbours are their own adjoint, so that this is the parameter's gradient.
        adam.move(parameter, smoothed(gradient), plan.pace * level.step * spacing_mm * length)
        field = smoothed(parameter)
        yield field, loss


def _tasks(comparison: Comparison, level: Level, plan: Plan, nodes: Tensor) -> Iterator[Task]:
    for part in comparison.parts:
        task = Task(
            part=part,
            moving=comparison.moving,
            grid=comparison.grid,
            level=level,
            plan=plan,
            stiffness=comparison.stiffness,
            scale=len(comparison.parts) / comparison.lung_places,
            extent=comparison.grid.size / comparison.lung_places,
        )
        yield replace(task, seen=max(seen_share(nodes, task), _LEAST_SEEN))
