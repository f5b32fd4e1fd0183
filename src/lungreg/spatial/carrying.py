"""A scan and the labels on its grid, both carried through one transform in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.spatial.displacement import CPU, Resampled, resample
from lungreg.spatial.fused import LABEL_TYPES, both_on, is_fused
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.lines import affine_lines


def resample_with_labels(
    moving: NDArray[np.float32],
    labels: NDArray[Any],
    moving_grid: Grid,
    fixed_grid: Grid,
    affine: FloatArray,
    dense_mm: NDArray[np.float32],
    *,
    outside_value: float = 0.0,
    device: torch.device = CPU,
) -> tuple[Resampled, NDArray[Any]]:
    """`resample` of a scan, linear, and of its labels, nearest neighbour and 0 outside.

    Args:
        moving: (X', Y', Z') values on `moving_grid`.
        labels: (X', Y', Z') integers there.
        moving_grid: Grid of the moving scan.
        fixed_grid: Grid of the fixed scan.
        affine: (4, 4) `A`, fixed RAS mm to moving RAS mm.
        dense_mm: (3, X, Y, Z) `u` on the fixed grid in mm.
        outside_value: What voxels of the scan get whose point lies outside the moving grid.
        device: Where to compute.
    """
    grids = moving_grid, fixed_grid, affine, dense_mm
    if not is_fused(device) or moving.dtype != np.float32 or labels.dtype not in LABEL_TYPES:
        scan = resample(moving, *grids, outside_value=outside_value, device=device)
        return scan, resample(labels, *grids, mode="nearest", device=device).values
    to_moving = np.linalg.inv(moving_grid.affine) @ affine
    both = np.ascontiguousarray(moving), np.ascontiguousarray(labels)
    lines = affine_lines(to_moving @ fixed_grid.affine, fixed_grid.shape)
    values, taken, outside = both_on(both, lines, dense_mm, to_moving[:3, :3], (outside_value, 0.0))
    return Resampled(values=values, outside=outside), taken
