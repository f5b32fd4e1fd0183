"""The loss of a step of descent and its gradient in one pass each over places and nodes.

On a CPU with numba a third of the time of PyTorch's operations, which `objective` has as the
reference and for GPUs. The work is shared out in the same way whatever the number of threads, so
that the sums do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.refinement.kernel import (
    Compared,
    distance_and_gradient,
    seen_weight,
)
from lungreg.registration.refinement.roughness_kernel import roughness_and_gradient
from lungreg.registration.refinement.task import Task
from lungreg.spatial.threads import in_shares

_Floats = NDArray[np.float32]
_Part = tuple[float, int, _Floats]
"""A sum, the first plane of nodes that it depends on, and its gradient from that plane on."""


def distance(nodes: _Floats, task: Task) -> tuple[float, _Floats]:
    """The sum of the places' distances and its gradient (3, A, B, C) by the nodes."""
    compared = _compared(task)

    def share(first: int, last: int) -> _Part:
        # Places are in the order of the voxels: a share of them depends on a few planes of nodes.
        planes = (int(compared.voxels[place, 0]) // compared.control for place in (first, last - 1))
        low, high = (min(plane, nodes.shape[1] - 2) for plane in planes)
        gradient = np.zeros((3, high - low + 2, *nodes.shape[2:]), dtype=np.float32)
        return distance_and_gradient((first, last), nodes, low, gradient, compared), low, gradient

    return _summed(share, 0, len(compared.voxels), nodes)


def seen(nodes: _Floats, task: Task) -> float:
    """Share of the places, by weight, that the moving scan shows; 0 where none has a weight."""
    compared = _compared(task)
    found = in_shares(lambda a, b: seen_weight((a, b), nodes, compared), 0, len(compared.voxels))
    shown, all_places = (sum(part) for part in zip(*found, strict=True))
    return shown / all_places if all_places else 0.0


def roughness(
    nodes: _Floats, node_mm: float, kink: float, stiffness: _Floats
) -> tuple[float, _Floats]:
    """`field.roughness` and its gradient (3, A, B, C)."""

    def share(first: int, last: int) -> _Part:
        gradient = np.zeros((3, last - first + 2, *nodes.shape[2:]), dtype=np.float32)
        sizes = np.float32(node_mm), np.float32(kink)
        return (
            roughness_and_gradient(first, last, nodes, gradient, *sizes, stiffness),
            first - 1,
            gradient,
        )

    inner = int(np.prod([max(0, n - 2) for n in nodes.shape[1:]]))
    if not inner:
        return 0.0, np.zeros_like(nodes)
    total, gradient = _summed(share, 1, nodes.shape[1] - 1, nodes)
    gradient /= np.float32(inner)
    return total / inner, gradient


def _compared(task: Task) -> Compared:
    """What a task compares, for the loops."""
    places = task.part.places
    return Compared(
        rows=task.moving.rows.numpy(),
        voxels=places.voxels.numpy(),
        features=places.features.numpy(),
        lungs=places.lungs.numpy(),
        weight=places.weight.numpy(),
        outline_weight=places.outline_weight.numpy(),
        shape=task.moving.shape,
        control=task.level.control,
        spacing_mm=np.float32(task.spacing_mm),
        tolerance=np.float32(task.level.tolerance),
        overlap=np.float32(task.level.overlap),
    )


def _summed(
    share: Callable[[int, int], _Part], first: int, last: int, nodes: _Floats
) -> tuple[float, _Floats]:
    """The sum over all shares."""
    total, gradient = 0.0, np.zeros_like(nodes)
    for value, plane, moved in in_shares(share, first, last):
        total += value
        gradient[:, plane : plane + moved.shape[1]] += moved
    return total, gradient
