"""Finish a simulated pair: cut off the bases, add noise, round to stored values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.sources.simulation.breathing import Breathing
from lungreg.sources.simulation.chest import bottom_face
from lungreg.sources.simulation.landmarks import draw_landmarks
from lungreg.sources.simulation.records import BreathingSettings, SimulatedPair
from lungreg.sources.simulation.spline import FieldSlab, Float32, field_slabs
from lungreg.spatial.geometry import Box, FloatArray, Grid

_LOWEST_HU, _HIGHEST_HU = -1024, 3071


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A scan before noise."""

    hu: Float32
    """(X, Y, Z)."""
    mask: NDArray[Any]
    """(X, Y, Z) labels, any positive value is lung."""
    grid: Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The true motion between two pictures."""

    breathing: Breathing
    slabs: list[FieldSlab]
    """The motion on the fixed picture's grid."""
    distinct_ras: FloatArray
    """(F, 3) points of the fixed picture that make good landmarks."""
    unseen_planes: int = 0
    """Lowest planes of the fixed picture whose lung comes from beyond the moving one's field."""


def motion_slabs(breathing: Breathing, grid: Grid) -> list[FieldSlab]:
    """The true motion on a grid.

    Raises:
        DataError: A motion that folds: the chest is too small for it.
    """
    slabs = list(field_slabs(breathing.field, grid))
    least = min(float(slab.jacobian.min()) for slab in slabs)
    if least <= 0:
        msg = "breathing folds no tissue: the determinant of its derivative is positive"
        raise DataError(msg, got=f"{least:.2f}", mend="lower the motion or use a larger chest")
    return slabs


def make_pair(
    fixed: Picture,
    moving: Picture,
    truth: Truth,
    settings: BreathingSettings,
    rng: np.random.Generator,
) -> SimulatedPair:
    """Finish a pair: cut off the bases, choose landmarks, add each scan's noise.

    Raises:
        DataError: Too little lung left for the landmarks.
    """
    planes = lost_planes(fixed.mask, fixed.grid, settings.cutoff_mm)
    crop = bottom_crop(fixed.grid, max(planes, truth.unseen_planes))
    seen, seen_grid = np.ascontiguousarray(fixed.mask[crop]), fixed.grid.cropped(crop)
    landmarks_vox = draw_landmarks(
        rng,
        truth.breathing,
        (seen, seen_grid),
        (moving.mask, moving.grid),
        distinct_ras=truth.distinct_ras,
        count=settings.landmarks,
    )
    displacement_mm = np.concatenate([slab.displacement_mm for slab in truth.slabs], axis=3)
    return SimulatedPair(
        fixed=_with_noise(rng, fixed.hu[crop], settings.noise_hu),
        moving=_with_noise(rng, moving.hu, settings.noise_hu),
        fixed_grid=seen_grid,
        moving_grid=moving.grid,
        fixed_mask=seen,
        moving_mask=moving.mask,
        landmarks_vox=landmarks_vox,
        displacement_mm=np.ascontiguousarray(displacement_mm[:, *crop]),
    )


def _with_noise(rng: np.random.Generator, hu: Float32, noise_hu: float) -> NDArray[np.int16]:
    """A scan's stored values: its own noise added, rounded, in the range of scanners."""
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    noise *= np.float32(noise_hu)
    noise += hu
    return np.asarray(np.rint(noise).clip(_LOWEST_HU, _HIGHEST_HU), dtype=np.int16)


def lost_planes(mask: NDArray[Any], grid: Grid, cutoff_mm: float) -> int:
    """Number of a grid's lowest planes that a cut through `cutoff_mm` of the lung bases removes."""
    if cutoff_mm == 0:
        return 0
    axis, starts_low = bottom_face(grid)
    other = tuple(a for a in range(3) if a != axis)
    planes = np.flatnonzero((mask > 0).any(axis=other))
    lowest = planes[0] if starts_low else grid.shape[axis] - 1 - planes[-1]
    return int(lowest) + round(cutoff_mm / float(grid.spacing_mm[axis]))


def bottom_crop(grid: Grid, planes: int) -> Box:
    """The part of a grid without some of its lowest planes.

    Raises:
        DataError: Fewer than two planes would be left.
    """
    axis, starts_low = bottom_face(grid)
    size = grid.shape[axis]
    if planes > size - 2:
        msg = "a field of view that cuts off the bases still shows lung"
        raise DataError(msg, got=f"{planes} of {size} planes cut off", mend="cut off less")
    whole = [slice(0, n) for n in grid.shape]
    whole[axis] = slice(planes, size) if starts_low else slice(0, size - planes)
    return whole[0], whole[1], whole[2]
