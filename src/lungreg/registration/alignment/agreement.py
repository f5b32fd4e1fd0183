"""Agreement of two scans under affine candidates, computed at a resolution of about 8 mm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, map_coordinates

from lungreg.registration.alignment.scan import Scan
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import FloatArray, Grid, Shape

_SPACING_MM = 8.0
_AROUND_LUNGS_VOX = 2
_LOST_OVERLAP_WEIGHT = 0.25

Volume = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Coarse:
    image: Volume
    grid: Grid
    extent: tuple[float, ...]
    """Size of the scan along each axis in coarse voxels; the last one may be partly filled."""
    lungs: Volume | None
    """(X, Y, Z) share of lung in each coarse voxel, 0 to 1."""


def agreement(fixed: Scan, moving: Scan, candidates: Mapping[str, FloatArray]) -> dict[str, float]:
    """Score of each candidate, at most 1.

    Correlation of the intensities where the scans overlap. Where the fixed lungs are known it is
    taken around them, and where both are, averaged with their Dice on the fixed grid: what lies
    beyond a cut fixed scan counts for nothing. Overlap that a candidate loses against the one with
    most costs a quarter of it: enough that none wins by what it leaves out, not so much that a
    stretched box beats the true place of a shorter scan.

    Args:
        fixed: The scan whose grid is judged on.
        moving: The scan that is resampled.
        candidates: Affines (4, 4) from fixed to moving RAS mm, by name.
    """
    coarse, coarse_moving = _coarse(fixed), _coarse(moving)
    where = np.ones(coarse.grid.size, dtype=bool)
    if coarse.lungs is not None:
        where = binary_dilation(coarse.lungs > 0.3, iterations=_AROUND_LUNGS_VOX).ravel()
    overlaps, scores = {}, {}
    for name, affine in candidates.items():
        matrix = np.linalg.inv(coarse_moving.grid.affine) @ affine @ coarse.grid.affine
        places = _places(matrix, coarse.grid.shape)
        beyond = np.array(coarse_moving.extent)[:, None] - 0.5
        inside = np.asarray(((places >= -0.5) & (places <= beyond)).all(axis=0))
        overlaps[name] = float(inside[where].mean())
        scores[name] = _score(coarse, coarse_moving, places, where, inside)
    most = max(overlaps.values())
    return {
        name: score - _LOST_OVERLAP_WEIGHT * (most - overlaps[name])
        for name, score in scores.items()
    }


def _coarse(scan: Scan) -> _Coarse:
    blocks = block_sizes(scan.grid, _SPACING_MM)
    image, grid = block_mean(scan.image, scan.grid, blocks)
    lungs = None if scan.lungs is None else block_mean(scan.lungs, scan.grid, blocks)[0]
    extent = tuple(n / block for n, block in zip(scan.grid.shape, blocks, strict=True))
    return _Coarse(image=image, grid=grid, extent=extent, lungs=lungs)


def _places(matrix: FloatArray, shape: Shape) -> FloatArray:
    """(3, N) images of all voxels of a grid under a (4, 4) matrix."""
    x, y, z = np.ogrid[tuple(slice(n) for n in shape)]
    return np.stack([(a * x + b * y + (c * z + d)).ravel() for a, b, c, d in matrix[:3]])


def _score(
    fixed: _Coarse,
    moving: _Coarse,
    places: FloatArray,
    where: NDArray[np.bool_],
    inside: NDArray[np.bool_],
) -> float:
    """Agreement under one candidate, which maps the fixed voxels to `places` (3, N)."""
    seen = where & inside
    warped = map_coordinates(moving.image, places[:, seen], order=1, mode="nearest")
    similarity = _correlation(fixed.image.ravel()[seen], warped)
    if fixed.lungs is None or moving.lungs is None:
        return similarity
    warped_lungs = map_coordinates(moving.lungs, places, order=1, mode="nearest") * inside
    return (similarity + _soft_dice(fixed.lungs.ravel(), warped_lungs)) / 2


def _correlation(x: FloatArray, y: FloatArray) -> float:
    """Pearson correlation, or -1 where either array is constant."""
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return -1.0
    return float(np.corrcoef(x, y)[0, 1])


def _soft_dice(x: FloatArray, y: FloatArray) -> float:
    return float(2 * np.minimum(x, y).sum() / (x.sum() + y.sum()))
