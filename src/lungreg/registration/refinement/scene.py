"""Both scans of a pair on one grid around the lungs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.registration.intensity import AIR_HU, tissue_for_grid
from lungreg.registration.lungs import ScanLungs
from lungreg.registration.pair import Pair
from lungreg.registration.refinement.features import REACH, cube_max
from lungreg.spatial.carrying import PaddedScan, resample_scan
from lungreg.spatial.displacement import resample
from lungreg.spatial.geometry import FloatArray, Grid, apply_affine, cubic_grid
from lungreg.spatial.mask_box import line_ends, mask_box

_MARGIN_MM = 8.0
_BLOCK = 4
"""Voxels of the coarsest level and, on finer ones, of the widest distance of nodes."""


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
    """The grid of the scene: along the fixed scan's axes, over both lungs and 8 mm more.

    Its voxels and nodes lie where the fixed scan says, not where lungs end: the mean error changes
    by some 0.02 mm with their place, and would with masks, found lungs and every `A`. Moving lungs
    that are not known are taken to lie where `A` puts them, over the fixed ones.
    """
    fixed, moving = pair.fixed_lungs, pair.moving_lungs
    ends = [pair.fixed.grid.corners_ras(mask_box(fixed.or_everything))]
    if moving.inside is not None or fixed.inside is None:
        surface = pair.moving.grid.to_world(line_ends(moving.or_everything))
        ends.append(apply_affine(np.linalg.inv(affine), surface))
    return cubic_grid(
        np.concatenate(ends),
        pair.fixed.grid.frame,
        spacing_mm,
        margin_mm=_MARGIN_MM,
        anchor_ras=pair.fixed.grid.affine[:3, 3],
        block=_BLOCK,
    )


def make_scene(pair: Pair, affine: FloatArray, grid: Grid, device: torch.device) -> Scene:
    """Resample both scans onto the working grid, each smoothed for it and sampled once."""
    here = np.eye(4)
    fixed, fixed_shown = _onto(pair.fixed_scan, here, grid, pair.moving.grid, device)
    moving, moving_shown = _onto(pair.moving_scan, affine, grid, pair.fixed.grid, device)
    return Scene(
        grid=grid,
        fixed=fixed,
        moving=moving,
        lungs=_share(pair.fixed_lungs, here, grid, device),
        moving_lungs=_share(pair.moving_lungs, affine, grid, device),
        fixed_shown=fixed_shown,
        moving_shown=moving_shown,
    )


def through(scene: Scene, pair: Pair, affine: FloatArray, device: torch.device) -> Scene:
    """A scene with the moving scan through another affine."""
    moving, shown = _onto(pair.moving_scan, affine, scene.grid, pair.fixed.grid, device)
    lungs = _share(pair.moving_lungs, affine, scene.grid, device)
    return replace(scene, moving=moving, moving_lungs=lungs, moving_shown=shown)


def _share(lungs: ScanLungs, affine: FloatArray, grid: Grid, device: torch.device) -> Tensor:
    inside = lungs.or_everything.astype(np.float32)
    return _tensor(resample(inside, lungs.grid, grid, affine, device=device).values, device)


def _onto(
    scan: PaddedScan, affine: FloatArray, grid: Grid, beside: Grid, device: torch.device
) -> tuple[Tensor, Tensor]:
    soft = tissue_for_grid(scan, grid, beside=beside, device=device)
    carried = resample_scan(soft, grid, affine, outside_value=AIR_HU, device=device)
    return _tensor(carried.values, device), _inner(_tensor(~carried.outside, device))


def _inner(shown: Tensor) -> Tensor:
    """Without the rim, where features see the end of the scan as if it were tissue.

    Where a scan is cut off or padded, this false edge would pull the other scan's lungs onto it.
    """
    return 1 - cube_max(1 - shown, REACH)


def _tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float32), device=device)[None, None]
