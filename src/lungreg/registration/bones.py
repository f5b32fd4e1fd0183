"""By how much a transform lengthens the bones around the lungs, which no breath does.

Ribs turn and the spine bends a little, but their sizes stay. So where `T`, which mostly follows the
bones beside the lungs to one or two millimetres, makes them longer, the voxels of one scan are not
as large as its header says. The lungs cannot tell that: every breath stretches them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.formats.volumes import Volume
from lungreg.registration.pair import Pair
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import (
    Box,
    FloatArray,
    Grid,
    Shape,
    Transform,
    apply_affine,
    nearest_affine,
)
from lungreg.spatial.mask_box import mask_box

_BLOCK_MM = 3.0
_BONE_HU, _LEAST_HU = 150.0, 80.0
"""Means over blocks: of bone in the fixed scan, and in the moving scan where `T` meets bone."""
_NEAR_MM = 12.0
"""From the lungs: further away nothing ties `T` to the bones."""
_FEWEST = 300
_LEAST_SHARE = 0.4
"""Of the bones shown, that `T` must carry to bone."""
_LEAST_SPREAD_MM = 17.0
"""Standard deviation of the places along a direction whose factor is taken for known."""
_FEWEST_DIRECTIONS = 2
_ROUNDS, _OUTLIER = 3, 2.5
_FLAT = 1e-6


@dataclass(frozen=True, kw_only=True)
class BoneChange:
    """How the affine transform nearest to `T` at the bones changes sizes."""

    stretch: float
    """The factor of length that is furthest from 1, in any direction that the bones spread in."""
    volume_ratio: float
    """The factor of volume; where the bones spread in two directions, as if the third were alike.
    """
    lengths: tuple[float, float, float]
    """The factors from left to right, from front to back and from head to foot."""
    misfit_mm: float
    """Median distance between `T` and that affine transform: large where ribs are mistaken for
    their neighbours, or follow the lungs that slide along them."""


def bone_change(pair: Pair, transform: Transform) -> BoneChange | None:
    """Measure the bones beside the lungs; None where too few are seen or `T` misses them.

    Args:
        pair: The case in memory; values in Hounsfield units.
        transform: `T`.
    """
    points = _bones(pair)
    if len(points) < _FEWEST:
        return None
    carried = transform_points(transform, points)
    shown = pair.moving.grid.contains(carried)
    if shown.sum() < _FEWEST:
        return None
    points, carried = points[shown], carried[shown]
    met = _meets_bone(pair, carried)
    if met.sum() < max(_FEWEST, _LEAST_SHARE * len(met)):
        return None
    points, carried = points[met], carried[met]
    known = _spread_directions(points)
    if known.shape[1] < _FEWEST_DIRECTIONS:
        return None
    affine, misfit_mm = _robust_affine(points, carried)
    factors = np.maximum(np.linalg.svd(affine @ known, compute_uv=False), _FLAT)
    odd = factors[np.argmax(np.abs(np.log(factors)))]
    across, along, up = np.linalg.norm(affine, axis=0).tolist()
    return BoneChange(
        stretch=float(odd),
        volume_ratio=float(factors.prod() ** (3 / len(factors))),
        lengths=(across, along, up),
        misfit_mm=misfit_mm,
    )


def _bones(pair: Pair) -> FloatArray:
    """(N, 3) fixed RAS mm of blocks of bone near the lungs, not in them."""
    inside = pair.fixed_lungs.inside
    if inside is None:
        return np.empty((0, 3))
    margin = np.ceil(_NEAR_MM / pair.fixed.grid.spacing_mm).astype(int).tolist()
    box = mask_box(inside, margin=margin)
    hu, coarse = _blocks(pair.fixed, box)
    share, _ = block_mean(inside[box], pair.fixed.grid.cropped(box), _sizes(pair.fixed))
    beside = np.asarray(share <= 0.5)
    near = ndimage.distance_transform_edt(beside, sampling=coarse.spacing_mm) < _NEAR_MM
    dense = pair.fixed_units.hounsfield(hu) > _BONE_HU
    return coarse.to_world(np.argwhere(dense & beside & near).astype(np.float64))


def _meets_bone(pair: Pair, points_ras: FloatArray) -> NDArray[np.bool_]:
    """(N,) around which points (moving RAS mm) the moving scan is dense."""
    grid = pair.moving.grid
    voxels = grid.to_voxel(points_ras)
    ends = [
        np.clip(np.rint(end), 0, np.array(grid.shape) - 1)
        for end in (voxels.min(axis=0), voxels.max(axis=0))
    ]
    x, y, z = (slice(int(low), int(high) + 1) for low, high in zip(*ends, strict=True))
    values, coarse = _blocks(pair.moving, (x, y, z))
    places = coarse.to_voxel(points_ras).T
    found = ndimage.map_coordinates(values, places, order=1, mode="nearest")
    return np.asarray(pair.moving_units.hounsfield(found) > _LEAST_HU)


def _blocks(scan: Volume, box: Box) -> tuple[NDArray[np.float32], Grid]:
    """Means of the stored values over blocks of a part of a scan, and their grid."""
    return block_mean(scan.data[box], scan.grid.cropped(box), _sizes(scan))


def _sizes(scan: Volume) -> Shape:
    return block_sizes(scan.grid, _BLOCK_MM)


def _spread_directions(points: FloatArray) -> FloatArray:
    """(3, K) the orthogonal directions along which points (N, 3) lie far enough apart."""
    variances, directions = np.linalg.eigh(np.cov(points.T))
    return np.asarray(directions[:, variances >= _LEAST_SPREAD_MM**2])


def _robust_affine(points: FloatArray, carried: FloatArray) -> tuple[FloatArray, float]:
    """(3, 3) nearest without the points that follow it least; the median misfit of all."""
    kept = np.ones(len(points), dtype=bool)
    for _ in range(_ROUNDS):
        affine = nearest_affine(points[kept], carried[kept])
        away = np.linalg.norm(carried - apply_affine(affine, points), axis=1)
        kept = away <= _OUTLIER * np.median(away) + 1e-6
    return affine[:3, :3], float(np.median(away))
