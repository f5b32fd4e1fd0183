"""Smooth a transform locally until its Jacobian determinant is positive inside the lungs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, uniform_filter

from lungreg.spatial.displacement import dense_displacement, jacobian_determinant
from lungreg.spatial.geometry import Grid, Transform

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
    near = binary_dilation(lungs, iterations=_AROUND_VOX)
    box, grid = _box(near, fixed)
    near = near[box]
    displacement = transform.displacement_mm
    for number in range(_PASSES):
        current = Transform(
            affine=transform.affine, displacement_mm=displacement, grid=transform.grid
        )
        dense_mm = dense_displacement(current, grid, device=device)
        determinant = jacobian_determinant(transform.affine, dense_mm, grid, device=device)
        folded = (determinant < _SMALLEST_DETERMINANT) & near
        if not folded.any():
            return current
        displacement = _smoothed(displacement, _at_nodes(folded, grid, transform.grid), number)
    flat = np.zeros_like(displacement)
    return Transform(affine=transform.affine, displacement_mm=flat, grid=transform.grid)


def _box(mask: NDArray[np.bool_], grid: Grid) -> tuple[tuple[slice, ...], Grid]:
    spans = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    low = [int(max(span[0] - 1, 0)) for span in spans]
    high = [int(min(span[-1] + 2, n)) for span, n in zip(spans, grid.shape, strict=True)]
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(np.array([low], dtype=np.float64))[0]
    nx, ny, nz = (b - a for a, b in zip(low, high, strict=True))
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return box, Grid(shape=(nx, ny, nz), affine=affine)


def _at_nodes(folded: NDArray[np.bool_], grid: Grid, nodes: Grid) -> NDArray[np.float32]:
    """(X, Y, Z) 1 at the nodes around folded voxels."""
    places = nodes.to_voxel(grid.to_world(np.argwhere(folded).astype(np.float64)))
    index = np.clip(np.rint(places).astype(int), 0, np.array(nodes.shape) - 1)
    marked = np.zeros(nodes.shape, dtype=bool)
    marked[tuple(index.T)] = True
    return np.asarray(binary_dilation(marked, iterations=2), dtype=np.float32)


def _smoothed(
    displacement: NDArray[np.float32], marked: NDArray[np.float32], number: int
) -> NDArray[np.float32]:
    sigma = _SIGMA_NODES * (1 + number / 4)
    share = uniform_filter(marked, 3)
    smooth = np.stack([gaussian_filter(part, sigma, mode="nearest") for part in displacement])
    return np.asarray(displacement + share * (smooth - displacement), dtype=np.float32)
