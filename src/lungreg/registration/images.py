"""One registered pair on the fixed scan's own grid: what metrics measure and pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.registration.intensity import AIR_HU, window
from lungreg.registration.pair import Pair
from lungreg.spatial.carrying import PaddedScan, resample_scan, resample_with_labels
from lungreg.spatial.displacement import (
    Resampled,
    dense_on,
    jacobian_determinant,
    resample,
)
from lungreg.spatial.geometry import FloatArray, Grid, Transform

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairImages:
    """Both scans, masks and maps of one registered pair, all on the fixed scan's own grid."""

    grid: Grid
    """The fixed scan's grid; its axes may point anywhere in the world."""
    hu_window: tuple[float, float]
    """HU that are 0 and 1 in the three images."""
    fixed: NDArray[np.float32]
    """(X, Y, Z) fixed scan after the intensity window, 0 to 1."""
    aligned: NDArray[np.float32]
    """(X, Y, Z) moving scan after `A` alone and the window, 0 to 1: before registration."""
    warped: NDArray[np.float32]
    """(X, Y, Z) moving scan after `T` and the window, 0 to 1."""
    fixed_mask: BoolArray | None
    """(X, Y, Z) lungs of the fixed scan: its mask or segmented; None where none were found."""
    initial_mask: BoolArray | None
    """(X, Y, Z) moving mask by the headers alone, nearest neighbour; None without a mask."""
    aligned_mask: BoolArray | None
    """(X, Y, Z) moving mask after `A`, nearest neighbour."""
    warped_mask: BoolArray | None
    """(X, Y, Z) moving mask after `T`, nearest neighbour."""
    dense_mm: NDArray[np.float32]
    """(3, X, Y, Z) `u`, RAS components in mm."""
    linear: FloatArray
    """(3, 3) of `A`, without its shift: `linear @ u` is `T(x) - A(x)`."""
    jacobian: NDArray[np.float32]
    """(X, Y, Z) determinant of the Jacobian of `T`."""
    outside: BoolArray
    """(X, Y, Z) True where `T` leaves what the moving scan shows."""

    @property
    def displacement_mm(self) -> NDArray[np.float32]:
        """(3, X, Y, Z) `T(x) - A(x)`, RAS components in mm; computed anew at each call."""
        flat = self.linear.astype(np.float32) @ self.dense_mm.reshape(3, -1)
        return flat.reshape(self.dense_mm.shape)

    @property
    def measured_in(self) -> BoolArray:
        """(X, Y, Z) where images are compared and folds counted: the lungs, else everywhere."""
        return np.ones(self.grid.shape, dtype=bool) if self.fixed_mask is None else self.fixed_mask


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """The moving scan and its mask resampled through `T` onto the fixed grid."""

    dense: Tensor
    """(3, X, Y, Z) `u` at every fixed voxel, RAS components in mm, on the device."""
    scan: Resampled
    """The moving scan in its stored scale."""
    label: NDArray[Any] | None
    """(X, Y, Z) the moving labels, nearest neighbour; None without a mask."""


def carry_moving(pair: Pair, transform: Transform, device: torch.device) -> Carried:
    """Resample the moving scan and its labels through `T`, each once."""
    dense = dense_on(device, transform, pair.fixed.grid)
    air = pair.moving_units.stored(AIR_HU)
    stored = PaddedScan(values=pair.moving.data, grid=pair.moving.grid, shown=pair.moving_shown)
    place = pair.fixed.grid, transform.affine, dense
    scan, label = _carry(stored, pair.moving_mask, place, air, device)
    return Carried(dense=dense, scan=scan, label=label)


def _carry(
    scan: PaddedScan,
    labels: NDArray[Any] | None,
    place: tuple[Grid, FloatArray] | tuple[Grid, FloatArray, Tensor],
    air: float,
    device: torch.device,
) -> tuple[Resampled, NDArray[Any] | None]:
    """A scan, and its labels where there are any, at a place: both in one pass."""
    if labels is None:
        return resample_scan(scan, *place, outside_value=air, device=device), None
    return resample_with_labels(scan, labels, *place, outside_value=air, device=device)


def pair_images(
    pair: Pair,
    transform: Transform,
    carried: Carried,
    *,
    hu_window: tuple[float, float],
    device: torch.device,
) -> PairImages:
    """All that is measured and shown of a registered pair, on the fixed grid.

    Args:
        pair: The case in memory.
        transform: `T`.
        carried: From `carry_moving` of the same pair and transform.
        hu_window: HU that become 0 and 1.
        device: Where to compute.
    """
    grid, affine = pair.fixed.grid, transform.affine
    aligned, aligned_mask = _carry(
        pair.moving_scan, pair.moving_mask, (grid, affine), AIR_HU, device
    )
    return PairImages(
        grid=grid,
        hu_window=hu_window,
        fixed=window(pair.fixed_hu, hu_window),
        aligned=window(aligned.values, hu_window),
        warped=window(pair.moving_units.hounsfield(carried.scan.values), hu_window),
        fixed_mask=pair.fixed_lungs.inside,
        initial_mask=_positive(_initial_mask(pair, device)),
        aligned_mask=_positive(aligned_mask),
        warped_mask=_positive(carried.label),
        dense_mm=carried.dense.cpu().numpy(),
        linear=affine[:3, :3],
        jacobian=jacobian_determinant(affine, carried.dense, grid, device=device),
        outside=carried.scan.outside,
    )


def _initial_mask(pair: Pair, device: torch.device) -> NDArray[Any] | None:
    if pair.moving_mask is None:
        return None
    place = pair.moving.grid, pair.fixed.grid, np.eye(4)
    return resample(pair.moving_mask, *place, mode="nearest", device=device).values


def _positive(mask: NDArray[Any] | None) -> BoolArray | None:
    return None if mask is None else np.asarray(mask > 0)
