"""A scan that may hold padding, alone or with labels on its grid, carried through a transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.spatial.displacement import CPU, Dense, Resampled, resample
from lungreg.spatial.fused import LABEL_TYPES, both_on, is_fused
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.lines import affine_lines
from lungreg.spatial.straight import places_by_axis


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddedScan:
    """The values of a scan, and which of them show something."""

    values: NDArray[np.float32]
    """(X', Y', Z')"""
    grid: Grid
    shown: NDArray[np.bool_] | None
    """(X', Y', Z') False where the scan holds padding; None without padding."""


def resample_scan(
    moving: PaddedScan,
    fixed_grid: Grid,
    affine: FloatArray,
    dense_mm: Dense | None = None,
    *,
    outside_value: float = 0.0,
    device: torch.device = CPU,
) -> Resampled:
    """`resample` of a scan, linear; what would be interpolated from padding is outside.

    Args:
        moving: The scan.
        fixed_grid: Grid of the fixed scan.
        affine: (4, 4) `A`, fixed RAS mm to moving RAS mm.
        dense_mm: (3, X, Y, Z) `u` on the fixed grid in mm; None for zero.
        outside_value: What voxels get whose point lies outside.
        device: Where to compute.
    """
    found = resample(
        _open(moving),
        moving.grid,
        fixed_grid,
        affine,
        dense_mm,
        outside_value=outside_value,
        device=device,
    )
    return found if moving.shown is None else _closed(found, outside_value)


def resample_with_labels(
    moving: PaddedScan,
    labels: NDArray[Any],
    fixed_grid: Grid,
    affine: FloatArray,
    dense_mm: Dense | None = None,
    *,
    outside_value: float = 0.0,
    device: torch.device = CPU,
) -> tuple[Resampled, NDArray[Any]]:
    """`resample_scan` of a scan, and `resample` of its labels, nearest neighbour and 0 outside.

    Args:
        moving: The scan.
        labels: (X', Y', Z') integers on its grid.
        fixed_grid: Grid of the fixed scan.
        affine: (4, 4) `A`, fixed RAS mm to moving RAS mm.
        dense_mm: (3, X, Y, Z) `u` on the fixed grid in mm; None for zero.
        outside_value: What voxels of the scan get whose point lies outside.
        device: Where to compute.
    """
    place = fixed_grid, affine, dense_mm
    to_moving = np.linalg.inv(moving.grid.affine) @ affine
    lines = affine_lines(to_moving @ fixed_grid.affine, fixed_grid.shape)
    fused = is_fused(device) and moving.values.dtype == np.float32 and labels.dtype in LABEL_TYPES
    # Along straight lines each is cheaper alone.
    if not fused or (dense_mm is None and places_by_axis(lines) is not None):
        scan = resample_scan(moving, *place, outside_value=outside_value, device=device)
        return scan, resample(labels, moving.grid, *place, mode="nearest", device=device).values
    both = np.ascontiguousarray(_open(moving)), np.ascontiguousarray(labels)
    dense = None if dense_mm is None else np.asarray(dense_mm)
    values, taken, outside = both_on(both, lines, dense, to_moving[:3, :3], (outside_value, 0.0))
    scan = Resampled(values=values, outside=outside)
    return scan if moving.shown is None else _closed(scan, outside_value), taken


def _open(scan: PaddedScan) -> NDArray[np.float32]:
    """Not a number in padding, as is then all that is interpolated from it."""
    return (
        scan.values if scan.shown is None else np.where(scan.shown, scan.values, np.float32("nan"))
    )


def _closed(found: Resampled, outside_value: float) -> Resampled:
    outside = found.outside | np.isnan(found.values)
    values = np.where(outside, np.float32(outside_value), found.values)
    return Resampled(values=values, outside=outside)
