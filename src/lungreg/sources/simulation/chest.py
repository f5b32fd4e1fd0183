"""Measure a chest from its lung mask, in world coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.errors import DataError
from lungreg.spatial.geometry import FloatArray, Grid

_SAMPLE_MM = 4.0
_BIN_MM = 6.0
_BORDER_MM = 90.0
_WALL_BLUR_MM = 15.0
_FLOOR_BLUR_MM = 20.0
_FLOOR_QUANTILE = 0.75
_MIN_LUNG_HEIGHT_MM = 60.0
_HIDDEN_LUNG_HEIGHT_MM = 220.0
_FLAT_SHARE = 0.35


@dataclass(frozen=True, kw_only=True, eq=False)
class FloorPlan:
    """A smooth map over the horizontal plane, linear between its bins."""

    values: FloatArray
    """(A, B) over world x and y."""
    origin_mm: FloatArray
    """(2,) world x and y of the first bin's centre."""
    bin_mm: float

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Value at world positions in mm, the nearest bin's beyond the outer ones."""
        place = np.stack([(x - self.origin_mm[0]), (y - self.origin_mm[1])]) / self.bin_mm
        return np.asarray(ndimage.map_coordinates(self.values, place, order=1, mode="nearest"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Chest:
    """Position and size of a chest, in mm along the world axes (RAS)."""

    points_ras: FloatArray
    """(N, 3) positions inside the lungs, about one per 4 mm cube."""
    middle_x: float
    """The plane between the lungs."""
    half_width: float
    back_y: float
    front_y: float
    low_z: float
    """Lowest point of the lungs; below the scan where the bases are cut off."""
    top_z: float
    shows_bases: bool
    """Whether the lungs end inside the scan, so that the diaphragm is seen."""
    inside: FloorPlan
    """1 under the lungs, falling to 0 at the chest wall and at the spine."""
    floor: FloorPlan
    """Smoothed height of the diaphragm, world z in mm."""


def measure_chest(mask: NDArray[Any], grid: Grid) -> Chest:
    """Measure a chest from a mask of both lungs, in any orientation.

    Args:
        mask: (X, Y, Z), any positive value is lung.
        grid: Where the mask lies.

    Raises:
        DataError: An empty mask, or lungs less than 60 mm high.
    """
    stride = np.maximum(1, np.floor(_SAMPLE_MM / grid.spacing_mm + 1e-6)).astype(int)
    coarse = mask[:: stride[0], :: stride[1], :: stride[2]] > 0
    points = grid.to_world(np.argwhere(coarse) * stride)
    height = float(np.ptp(points[:, 2])) if len(points) else 0.0
    if height < _MIN_LUNG_HEIGHT_MM:
        msg = f"lungs to breathe with are at least {_MIN_LUNG_HEIGHT_MM:g} mm high"
        raise DataError(msg, got=f"{height:.0f} mm", mend="use a scan of the whole chest")
    bin_mm = max(_BIN_MM, float((stride * grid.spacing_mm).max()))
    cut = _touches_bottom(mask, grid) or _ends_flat(points, bin_mm)
    return _chest(points, bin_mm, shows_bases=not cut)


def bottom_face(grid: Grid) -> tuple[int, bool]:
    """The index axis that runs along the body, and whether its index 0 is the lower end."""
    axis = grid.axis_along(2)
    return axis, bool(grid.directions[2, axis] > 0)


def _touches_bottom(mask: NDArray[Any], grid: Grid) -> bool:
    axis, starts_low = bottom_face(grid)
    return bool((np.take(mask, 0 if starts_low else -1, axis=axis) > 0).any())


def _ends_flat(points: FloatArray, bin_mm: float) -> bool:
    """Whether the lungs end in a plane rather than in the thin edges beside a diaphragm."""
    layer = ((points[:, 2] - points[:, 2].min()) / bin_mm).astype(int)
    counts = np.bincount(layer)
    return bool(counts[0] > _FLAT_SHARE * counts.max())


def _chest(points: FloatArray, bin_mm: float, *, shows_bases: bool) -> Chest:
    low, high = np.percentile(points, (1, 99), axis=0)
    top = float(points[:, 2].max())
    bottom = float(points[:, 2].min())
    inside, floor = _floor_plans(points, bin_mm)
    if not shows_bases:
        bottom = min(bottom, top - _HIDDEN_LUNG_HEIGHT_MM)
        floor = FloorPlan(
            values=np.full_like(floor.values, top - 0.8 * (top - bottom)),
            origin_mm=floor.origin_mm,
            bin_mm=bin_mm,
        )
    return Chest(
        points_ras=points,
        middle_x=float((low[0] + high[0]) / 2),
        half_width=float((high[0] - low[0]) / 2),
        back_y=float(low[1]),
        front_y=float(high[1]),
        low_z=bottom,
        top_z=top,
        shows_bases=shows_bases,
        inside=inside,
        floor=floor,
    )


def _floor_plans(points: FloatArray, bin_mm: float) -> tuple[FloorPlan, FloorPlan]:
    origin = points[:, :2].min(axis=0) - _BORDER_MM
    extent = points[:, :2].max(axis=0) + _BORDER_MM - origin
    shape = tuple(np.ceil(extent / bin_mm).astype(int) + 1)
    bins = tuple(np.rint((points[:, :2] - origin) / bin_mm).astype(int).T)
    lowest = np.full(shape, np.inf)
    np.minimum.at(lowest, bins, points[:, 2])
    seen = np.isfinite(lowest)
    cover = ndimage.gaussian_filter(
        ndimage.binary_closing(seen).astype(float), _WALL_BLUR_MM / bin_mm
    )
    inside = _smoothstep((cover - 0.12) / 0.6)
    limit = np.quantile(lowest[seen & (inside > 0.7)], _FLOOR_QUANTILE)
    lowest = np.where(seen, np.minimum(lowest, limit), 0.0)
    weight = ndimage.gaussian_filter(seen.astype(float), _FLOOR_BLUR_MM / bin_mm) + 1e-6
    floor = ndimage.gaussian_filter(lowest, _FLOOR_BLUR_MM / bin_mm) / weight
    floor = np.where(weight > 1e-3, floor, limit)
    return (
        FloorPlan(values=inside, origin_mm=origin, bin_mm=bin_mm),
        FloorPlan(values=floor, origin_mm=origin, bin_mm=bin_mm),
    )


def _smoothstep(t: FloatArray) -> FloatArray:
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
