"""Smooth a transform locally until its Jacobian determinant is positive inside the lungs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from lungreg.spatial.displacement import dense_on, jacobian_determinant
from lungreg.spatial.geometry import Grid, Transform, affine_transform
from lungreg.spatial.mask_box import mask_box
from lungreg.spatial.neighbours import dilated

_SMALLEST_DETERMINANT = 0.05
_AROUND_VOX = 3
_PASSES = 40
_SIGMA_NODES = 1.0


def unfold(
    transform: Transform, fixed: Grid, lungs: NDArray[np.bool_], *, device: torch.device
) -> Transform:
    """Smooth a transform where it folds, and only there, until nothing in the lungs does.

    Args:
        transform: `T`.
        fixed: Grid of the fixed scan, on which folds are looked for.
        lungs: (X, Y, Z) on it.
        device: Where to compute.
    """
    near = dilated(lungs, times=_AROUND_VOX)
    box = mask_box(near, margin=1)
    near, grid = near[box], fixed.cropped(box)
    displacement = transform.displacement_mm
    for number in range(_PASSES):
        current = Transform(
            affine=transform.affine, displacement_mm=displacement, grid=transform.grid
        )
        dense = dense_on(device, current, grid)
        determinant = jacobian_determinant(transform.affine, dense, grid, device=device)
        folded = (determinant < _SMALLEST_DETERMINANT) & near
        if not folded.any():
            return current
        displacement = _smoothed(displacement, _at_nodes(folded, grid, transform.grid), number)
    return affine_transform(transform.affine, transform.grid)


def _at_nodes(folded: NDArray[np.bool_], grid: Grid, nodes: Grid) -> NDArray[np.float32]:
    """(X, Y, Z) 1 at the nodes around folded voxels."""
    places = nodes.to_voxel(grid.to_world(np.argwhere(folded).astype(np.float64)))
    index = np.clip(np.rint(places).astype(int), 0, np.array(nodes.shape) - 1)
    marked = np.zeros(nodes.shape, dtype=bool)
    marked[tuple(index.T)] = True
    return np.asarray(dilated(marked, times=2), dtype=np.float32)


def _smoothed(
    displacement: NDArray[np.float32], marked: NDArray[np.float32], number: int
) -> NDArray[np.float32]:
    sigma = _SIGMA_NODES * (1 + number / 4)
    share = uniform_filter(marked, 3)
    smooth = np.stack([gaussian_filter(part, sigma, mode="nearest") for part in displacement])
    return np.asarray(displacement + share * (smooth - displacement), dtype=np.float32)
