"""Both scans on one grid around the fixed lungs, the moving one through `T`, to be searched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.registration.correspondences.search import Searchable, searchable
from lungreg.registration.intensity import AIR_HU, tissue_for_grid
from lungreg.registration.pair import Pair
from lungreg.registration.refinement.features import cube_max
from lungreg.spatial.carrying import PaddedScan, resample_scan
from lungreg.spatial.displacement import dense_on, resample
from lungreg.spatial.geometry import Grid, Transform, cubic_grid
from lungreg.spatial.mask_box import mask_box

_FINEST_MM = 2.0
_MOST_VOXELS = 1_200_000
_VOXELS = 0.8
"""Spacing of the grid in voxels of the fixed scan, at least."""
_PATCH_MM = 6.0
_DEEP_MM = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchVolumes:
    """The fixed scan on the working grid, and what is needed to carry the moving scan onto it."""

    pair: Pair
    grid: Grid
    """Cubic voxels along the fixed scan's axes, over its lungs and a margin."""
    image: Tensor
    """(X, Y, Z) HU of the fixed scan, clipped."""
    inside: Tensor
    """(X, Y, Z) bool, well inside the fixed lungs."""
    deep: Tensor
    """(X, Y, Z) bool, at least 10 mm below the surface of the fixed lungs."""
    fixed: Searchable
    patch: int
    """Voxels from the centre of a compared patch to its sides."""

    @property
    def spacing_mm(self) -> float:
        """Distance between neighbouring voxels of the grid, mm."""
        return float(self.grid.spacing_mm[0])

    def voxels(self, length_mm: float) -> int:
        """A length in whole voxels, at least two."""
        return max(2, round(length_mm / self.spacing_mm))

    @cached_property
    def _moving(self) -> PaddedScan:
        """The moving scan's densities, smoothed once for both searches."""
        scan, other = self.pair.moving_scan, self.pair.fixed.grid
        return tissue_for_grid(scan, self.grid, beside=other, device=self.image.device)

    def warped(self, transform: Transform) -> Searchable:
        """The moving scan through a transform."""
        device = self.image.device
        found = resample_scan(
            self._moving,
            self.grid,
            transform.affine,
            dense_on(device, transform, self.grid),
            outside_value=AIR_HU,
            device=device,
        )
        shown = torch.as_tensor(~found.outside, device=device)
        return searchable(torch.as_tensor(found.values, device=device), shown, patch=self.patch)


def search_volumes(pair: Pair, *, margin_mm: float, device: torch.device) -> SearchVolumes:
    """Lay the working grid over the fixed lungs and prepare the fixed scan on it.

    Args:
        pair: The case in memory.
        margin_mm: Width of the grid beyond the lungs on every side.
        device: Where to compute.
    """
    grid = _working_grid(pair, margin_mm)
    source, here = pair.fixed.grid, np.eye(4)
    fixed = tissue_for_grid(pair.fixed_scan, grid, beside=pair.moving.grid, device=device)
    found = resample_scan(fixed, grid, here, outside_value=AIR_HU, device=device)
    lungs = pair.fixed_lungs.or_everything.astype(np.float32)
    found_lungs = resample(lungs, source, grid, here, device=device).values
    share = torch.as_tensor(found_lungs, device=device)
    image = torch.as_tensor(found.values, device=device)
    patch = max(2, round(_PATCH_MM / float(grid.spacing_mm[0])))
    return SearchVolumes(
        pair=pair,
        grid=grid,
        image=image,
        inside=_below_surface(share, 1),
        deep=_below_surface(share, round(_DEEP_MM / float(grid.spacing_mm[0]))),
        fixed=searchable(image, torch.as_tensor(~found.outside, device=device), patch=patch),
        patch=patch,
    )


def _working_grid(pair: Pair, margin_mm: float) -> Grid:
    fixed = pair.fixed.grid
    ends = fixed.corners_ras(mask_box(pair.fixed_lungs.or_everything))
    sides_mm = np.ptp(ends @ fixed.frame, axis=0) + 2 * margin_mm
    affordable_mm = float(np.cbrt(np.prod(sides_mm) / _MOST_VOXELS))
    spacing_mm = max(_FINEST_MM, affordable_mm, _VOXELS * float(np.cbrt(fixed.voxel_volume_mm3)))
    return cubic_grid(ends, fixed.frame, spacing_mm, margin_mm=margin_mm)


def _below_surface(share: Tensor, radius: int) -> Tensor:
    """Voxels all of whose neighbours within a cube of `radius` are lung."""
    other = (share <= 0.5).float()[None, None]
    other = nnf.pad(other, (radius,) * 6, value=1.0)
    inner = (slice(radius, -radius),) * 3
    return cube_max(other, radius)[0, 0][inner] == 0
