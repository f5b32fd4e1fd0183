"""Both scans of a pair at one coarse resolution, with the features that are compared there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lungreg.registration.alignment.coarse import IMAGE, LUNGS, SHOWN, Coarse
from lungreg.registration.refinement.features import self_similarity
from lungreg.spatial.geometry import FloatArray, Grid, cubic_grid
from lungreg.spatial.neighbours import within

Features = Callable[[Tensor], Tensor]
"""From the channels (3, X, Y, Z) of a scan to (C, X, Y, Z)."""
UNIT_MM = 100.0
"""Unit of places and slopes: shifts and slopes of an affine are then of about one size."""
_MARGIN_MM = 25.0
_NEAR_MM = 16.0
_SOME_LUNG = 0.3
_IMAGE_WEIGHT = 2.0


def densities(channels: Tensor) -> Tensor:
    """(2, X, Y, Z) the image and the share of lung: what leads from far away."""
    return torch.stack([_IMAGE_WEIGHT * channels[IMAGE], channels[LUNGS]])


def structures(channels: Tensor) -> Tensor:
    """(12, X, Y, Z) self-similarity of the image, which breathing changes less than densities."""
    return self_similarity(channels[IMAGE][None, None])[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """The scans at one resolution, compared on cubic voxels around the fixed lungs."""

    grid: Grid
    """Along the fixed scan's axes."""
    kept: Tensor
    """(N,) flat indices of the voxels compared: near the fixed lungs and shown by their scan."""
    places: Tensor
    """(4, N) where they are along the axes of `grid`, from their middle, in units; and 1."""
    middle_ras: FloatArray
    """(3,) their middle, RAS mm."""
    features: Features
    fixed: Tensor
    """(C, N) features of the fixed scan."""
    fixed_lungs: Tensor
    """(N,) share of fixed lung."""
    slopes: Tensor
    """(C, 3, N) derivatives of `fixed` along the axes of `grid`, per unit."""
    moving: Coarse
    most_overlap: float
    """Volume near the moving lungs over that near the fixed lungs, at most 1."""

    def seen(self, affine: FloatArray) -> tuple[Tensor, Tensor, Tensor]:
        """The moving scan through an affine: features (C, X, Y, Z), shown (N,), lungs (N,)."""
        channels = self.moving.through(affine, self.grid)
        flat = channels.reshape(len(channels), -1)[:, self.kept]
        return self.features(channels), flat[SHOWN], flat[LUNGS]

    def at_places(self, volume: Tensor) -> Tensor:
        """(..., N) values of a volume (..., X, Y, Z) at the voxels compared."""
        return volume.flatten(-3).index_select(-1, self.kept)


def make_level(fixed: Coarse, moving: Coarse, spacing_mm: float, features: Features) -> Level:
    """Both scans on a grid of cubic voxels.

    Args:
        fixed: The scan whose places are compared: around its lungs, or all where it has none.
        moving: The scan that is seen through affines.
        spacing_mm: Of the grid.
        features: What is compared.
    """
    grid = _grid(fixed, spacing_mm)
    channels = fixed.through(np.eye(4), grid)
    kept = torch.nonzero(_near(channels, grid).flatten())[:, 0]
    axes = [torch.arange(n, dtype=torch.float32) for n in grid.shape]
    index = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1)[:, kept]
    middle = index.mean(dim=1, keepdim=True)
    unit = UNIT_MM / spacing_mm
    values = features(channels)
    slopes = slopes_of(values, unit)
    return Level(
        grid=grid,
        kept=kept,
        places=torch.cat([(index - middle) / unit, torch.ones(1, len(kept))]),
        middle_ras=grid.to_world(middle.T.double().numpy())[0],
        features=features,
        fixed=values.flatten(-3)[:, kept],
        fixed_lungs=channels[LUNGS].flatten()[kept],
        slopes=slopes.flatten(-3)[..., kept],
        moving=moving,
        most_overlap=min(1.0, _near_mm3(moving) / (len(kept) * grid.voxel_volume_mm3)),
    )


def slopes_of(volume: Tensor, voxels_per_unit: float) -> Tensor:
    """(C, 3, X, Y, Z) derivatives of a volume (C, X, Y, Z) along its axes, per unit."""
    return torch.stack(torch.gradient(volume, dim=(1, 2, 3)), dim=1) * voxels_per_unit


def _grid(fixed: Coarse, spacing_mm: float) -> Grid:
    """Cubic voxels over the fixed lungs and a margin, or over the fixed scan without lungs."""
    points, margin_mm = fixed.lung_points_ras, _MARGIN_MM
    if not len(points):
        points, margin_mm = fixed.grid.corners_ras(), 0.0
    return cubic_grid(points, fixed.grid.frame, spacing_mm, margin_mm=margin_mm, fewest=3)


def _near(channels: Tensor, grid: Grid) -> Tensor:
    """(X, Y, Z) bool: near the lungs, or anywhere without lungs, and shown by the scan."""
    shown = channels[SHOWN] > 0.5
    lungs = channels[LUNGS].numpy() > _SOME_LUNG
    if not lungs.any():
        return shown
    return shown & torch.from_numpy(within(lungs, _NEAR_MM, grid.spacing_mm.tolist()))


def _near_mm3(scan: Coarse) -> float:
    """Volume of what a scan shows near its lungs."""
    return float(_near(scan.channels, scan.grid).sum()) * scan.grid.voxel_volume_mm3
