"""The loss of a step of descent, and its gradient: distance of the features and roughness.

The root of the distance, not the distance itself, is weighed against the roughness: what differs
however well scans are registered, by noise, dose or coarse voxels, then smooths as much as it hides
(as in the square-root lasso, whose weight needs no level of noise: Belloni et al. 2011,
doi:10.1093/biomet/asr043).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lungreg.registration.refinement.field import roughness
from lungreg.registration.refinement.parts import moved_places
from lungreg.registration.refinement.task import Task
from lungreg.spatial.threads import has_numba

_LEAST = 0.05
"""Distance below which scans differ by little but how they move: no reason to smooth less."""


def loss_and_gradient(field: Tensor, task: Task) -> tuple[float, Tensor]:
    """The loss of a displacement, and its derivative.

    Args:
        field: (3, X, Y, Z) displacement at the nodes along the grid's axes, mm.
        task: What is compared.
    """
    return fused_loss(field, task) if _is_fused(field) else reference_loss(field, task)


def seen_share(field: Tensor, task: Task) -> float:
    """Share of a task's places, by the weight of their features, that the moving scan shows.

    Args:
        field: (3, X, Y, Z) displacement at the nodes along the grid's axes, mm.
        task: What is compared.
    """
    if _is_fused(field):
        from lungreg.registration.refinement import fused

        return fused.seen(field.contiguous().numpy(), task)
    moved = moved_places(field, task.part, task.level.control, task.grid)
    shown, weight = task.moving.nearest(moved, -1), task.part.places.weight
    total = float(weight.sum())
    return float((shown * weight).sum()) / total if total else 0.0


def fused_loss(field: Tensor, task: Task) -> tuple[float, Tensor]:
    """As `reference_loss`, compiled by numba."""
    from lungreg.registration.refinement import fused

    nodes = field.contiguous().numpy()
    apart, gradient = fused.distance(nodes, task)
    root = (task.scale * apart / task.seen + _LEAST) ** 0.5
    gradient *= task.scale / (2 * root)
    rough, smoother = fused.roughness(nodes, task.node_mm, task.plan.kink, task.stiffness.numpy())
    smoother *= task.smoothness
    gradient += smoother
    return task.seen * root + task.smoothness * rough, torch.from_numpy(gradient)


def reference_loss(field: Tensor, task: Task) -> tuple[float, Tensor]:
    """By PyTorch's operations and their derivatives."""
    leaf = field.detach().requires_grad_()
    rough = roughness(leaf, task.node_mm, task.plan.kink, task.stiffness)
    root = (task.scale * _distance(leaf, task) / task.seen + _LEAST).sqrt()
    total = task.seen * root + task.smoothness * rough
    (gradient,) = torch.autograd.grad(total, leaf)
    return float(total.detach()), gradient


def _is_fused(field: Tensor) -> bool:
    return field.device.type == "cpu" and has_numba()


def _distance(field: Tensor, task: Task) -> Tensor:
    """Sum of the robust feature distances (Geman and McClure 1985) and overlaps of the places."""
    places, level = task.part.places, task.level
    moved = moved_places(field, task.part, level.control, task.grid)
    sampled = task.moving.sample(moved)
    count = places.features.shape[1]
    apart, shown = sampled[:, count] - places.lungs, sampled[:, count + 1].detach()
    squared = (sampled[:, :count] - places.features).square().sum(dim=1)
    robust = level.tolerance * squared / (squared + level.tolerance)
    outline = level.overlap * apart.square()
    return ((robust * places.weight + outline * places.outline_weight) * shown).sum()
