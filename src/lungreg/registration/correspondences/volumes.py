"""Both scans on one grid around the fixed lungs, the moving one through `T`, to be searched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lungreg.registration.correspondences.search import Searchable, searchable
from lungreg.registration.intensity import AIR_HU
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import dense_displacement, resample
from lungreg.spatial.geometry import FloatArray, Grid, Transform
from lungreg.spatial.mask_box import mask_box

_HU_RANGE = (-1000.0, 200.0)
"""Bone and metal beyond it would outweigh the vessels."""
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
    def _moving_hu(self) -> FloatArray:
        """The moving scan's densities, smoothed once for both searches."""
        return _clipped(self.pair.moving_hu, self.pair.moving.grid, self.grid)

    def warped(self, transform: Transform) -> Searchable:
        """The moving scan through a transform."""
        device = self.image.device
        dense_mm = dense_displacement(transform, self.grid, device=device)
        found = resample(
            self._moving_hu,
            self.pair.moving.grid,
            self.grid,
            transform.affine,
            dense_mm,
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
    hu = _clipped(pair.fixed_hu, source, grid)
    found = resample(hu, source, grid, here, outside_value=AIR_HU, device=device)
    lungs = pair.fixed_lungs.or_everything.astype(np.float32)
    share = resample(lungs, source, grid, here, device=device).values
    image = torch.as_tensor(found.values, device=device)
    patch = max(2, round(_PATCH_MM / float(grid.spacing_mm[0])))
    return SearchVolumes(
        pair=pair,
        grid=grid,
        image=image,
        inside=_below_surface(torch.as_tensor(share, device=device), 1),
        deep=_below_surface(
            torch.as_tensor(share, device=device), round(_DEEP_MM / float(grid.spacing_mm[0]))
        ),
        fixed=searchable(image, torch.as_tensor(~found.outside, device=device), patch=patch),
        patch=patch,
    )


def _working_grid(pair: Pair, margin_mm: float) -> Grid:
    fixed = pair.fixed.grid
    left, _, right = np.linalg.svd(fixed.directions)
    frame = left @ right
    ends = fixed.corners_ras(mask_box(pair.fixed_lungs.or_everything)) @ frame
    low, high = ends.min(axis=0) - margin_mm, ends.max(axis=0) + margin_mm
    affordable_mm = float(np.cbrt(np.prod(high - low) / _MOST_VOXELS))
    spacing_mm = max(_FINEST_MM, affordable_mm, _VOXELS * float(np.cbrt(fixed.voxel_volume_mm3)))
    nx, ny, nz = (int(n) + 1 for n in np.ceil((high - low) / spacing_mm))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = frame * spacing_mm, frame @ low
    return Grid(shape=(nx, ny, nz), affine=matrix)


def _clipped(hu: NDArray[np.float32], source: Grid, grid: Grid) -> FloatArray:
    """Densities without bone, smoothed for the spacing of the grid they will be sampled on."""
    clipped = np.clip(hu, *_HU_RANGE)
    ratio = grid.spacing_mm[0] / source.spacing_mm
    sigma = 0.5 * np.sqrt(np.maximum(ratio**2 - 1, 0))
    if sigma.max() <= 0.1:
        return clipped
    return np.asarray(gaussian_filter(clipped, sigma, mode="nearest", truncate=3.0))


def _below_surface(share: Tensor, radius: int) -> Tensor:
    """Voxels all of whose neighbours within a cube of `radius` are lung."""
    other = (share <= 0.5).float()[None, None]
    other = nnf.pad(other, (radius,) * 6, value=1.0)
    for dim in range(3):
        kernel = [1, 1, 1]
        kernel[dim] = 2 * radius + 1
        other = nnf.max_pool3d(other, kernel, stride=1)
    return other[0, 0] == 0
