"""Both scans of a pair on one grid around the lungs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lungreg.registration.intensity import AIR_HU
from lungreg.registration.lungs import ScanLungs
from lungreg.registration.pair import Pair
from lungreg.registration.refinement.features import REACH
from lungreg.spatial.displacement import resample
from lungreg.spatial.geometry import FloatArray, Grid, apply_affine
from lungreg.spatial.mask_box import mask_box

_HU_RANGE = (-1000.0, 200.0)
"""Bone and metal beyond it would outweigh the vessels."""
_MARGIN_MM = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Both scans, the moving one resampled through `A`, on a grid with the fixed scan's axes."""

    grid: Grid
    """Cubic voxels over both lungs and a margin."""
    fixed: Tensor
    """(1, 1, X, Y, Z) HU, -1000 to 200."""
    moving: Tensor
    """(1, 1, X, Y, Z) HU of the moving scan through `A`, -1000 to 200."""
    lungs: Tensor
    """(1, 1, X, Y, Z) share of fixed lung in each voxel."""
    moving_lungs: Tensor
    """(1, 1, X, Y, Z) share of moving lung through `A`."""
    fixed_shown: Tensor
    """(1, 1, X, Y, Z) 1 where the fixed scan has all the data that features look at."""
    moving_shown: Tensor
    """(1, 1, X, Y, Z) 1 where the moving scan has all the data that features look at."""


def working_grid(pair: Pair, affine: FloatArray, spacing_mm: float) -> Grid:
    """The grid of the scene: along the fixed scan's axes, over both lungs and 12 mm more."""
    axes = pair.fixed.grid.directions
    left, _, right = np.linalg.svd(axes)
    frame = left @ right
    moving = pair.moving.grid.corners_ras(mask_box(pair.moving_lungs.or_everything))
    fixed = pair.fixed.grid.corners_ras(mask_box(pair.fixed_lungs.or_everything))
    ends = np.concatenate([fixed, apply_affine(np.linalg.inv(affine), moving)]) @ frame
    low, high = ends.min(axis=0) - _MARGIN_MM, ends.max(axis=0) + _MARGIN_MM
    nx, ny, nz = (int(n) + 1 for n in np.ceil((high - low) / spacing_mm))
    matrix = np.eye(4)
    matrix[:3, :3] = frame * spacing_mm
    matrix[:3, 3] = frame @ low
    return Grid(shape=(nx, ny, nz), affine=matrix)


def make_scene(pair: Pair, affine: FloatArray, grid: Grid, device: torch.device) -> Scene:
    """Resample both scans onto the working grid, each smoothed for its spacing and sampled once."""
    here = np.eye(4)
    fixed, fixed_shown = _onto(pair.fixed_hu, pair.fixed.grid, here, grid, device)
    moving, moving_shown = _onto(pair.moving_hu, pair.moving.grid, affine, grid, device)
    return Scene(
        grid=grid,
        fixed=fixed,
        moving=moving,
        lungs=_share(pair.fixed_lungs, here, grid, device),
        moving_lungs=_share(pair.moving_lungs, affine, grid, device),
        fixed_shown=fixed_shown,
        moving_shown=moving_shown,
    )


def _share(lungs: ScanLungs, affine: FloatArray, grid: Grid, device: torch.device) -> Tensor:
    inside = lungs.or_everything.astype(np.float32)
    return _tensor(resample(inside, lungs.grid, grid, affine, device=device).values, device)


def _onto(
    hu: NDArray[np.float32], source: Grid, affine: FloatArray, grid: Grid, device: torch.device
) -> tuple[Tensor, Tensor]:
    clipped = np.clip(hu, *_HU_RANGE)
    ratio = grid.spacing_mm / source.spacing_mm
    sigma = 0.5 * np.sqrt(np.maximum(ratio**2 - 1, 0))
    if sigma.max() > 0.1:
        clipped = gaussian_filter(clipped, sigma, mode="nearest", truncate=3.0)
    carried = resample(clipped, source, grid, affine, outside_value=AIR_HU, device=device)
    return _tensor(carried.values, device), _inner(_tensor(~carried.outside, device))


def _inner(shown: Tensor) -> Tensor:
    """Without the rim, where features see the end of the scan as if it were tissue.

    Where a scan is cut off, this false edge would pull the lungs of the other scan onto it.
    """
    return 1 - nnf.max_pool3d(1 - shown, 2 * REACH + 1, stride=1, padding=REACH)


def _tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float32), device=device)[None, None]
