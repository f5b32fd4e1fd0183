"""A breath that slides along a wall that stays: ribs and spine keep their places and sizes.

In the other pairs the rise of the diaphragm fades towards the wall, over some 20 mm, as it does in
`lungreg simulate`: a rim of lung is sheared, where a pleura lets real lungs slide. Here the lungs
move as a whole, and what is not inside the rib cage has no part in the rise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from lungreg.sources.simulation.breathing import Exhaling, draw_breathing
from lungreg.sources.simulation.chest import FloorPlan, bottom_face, measure_chest
from lungreg.sources.simulation.records import BreathingSettings
from lungreg.sources.simulation.spline import SplineField, lattice_over
from lungreg.spatial.geometry import FloatArray, Grid
from tests.varied.motion import RIB_MM, Motion, irregular_parts
from tests.varied.scans import Scan
from tests.varied.slide import BEYOND_MM, LatticeField, lattice_around, rise

_STEP_MM = 4.0
_NODE_MM = 10.0
_BONE_HU, _BONE_MM = 180.0, 8.0
_WALL_MM = (4.0, 20.0)
"""Depth below the inner side of the wall: nothing of the rise up to the first, all at the second.
"""
_FEWEST = 20
"""Lung voxels of a slice that have a hull."""
_ROUNDS = 25
"""Of the fixed-point iterations that turn a motion back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cage:
    """What rises with the diaphragm: 1 deep inside the rib cage and the belly, 0 at the wall."""

    share: NDArray[np.float32]
    """(A, B, C)."""
    grid: Grid

    def at(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """(N,) at points (N, 3) in RAS mm, the outermost value beyond."""
        places = self.grid.to_voxel(points_ras).T
        found = ndimage.map_coordinates(self.share, places, order=1, mode="nearest")
        return np.asarray(found, dtype=np.float64)


def draw_sliding(rng: np.random.Generator, scan: Scan, most_mm: tuple[float, float]) -> Motion:
    """Draw such a motion; arguments as of `motion.draw_motion`."""
    diaphragm_mm = float(rng.uniform(*most_mm))
    settings = BreathingSettings(diaphragm_mm=(diaphragm_mm, diaphragm_mm), rib_mm=RIB_MM)
    chest = measure_chest(scan.mask, scan.grid)
    whole = replace(chest, inside=_everywhere(chest.inside, 1.0))
    lungs = draw_breathing(rng, whole, scan.grid, settings)
    wall = _wall(lungs.exhaling, _cage(scan), scan.grid)
    _, *others = irregular_parts(rng, scan, lungs.field)
    slide = _relative(lungs.field, wall, scan)
    return Motion(smooth=(wall, *others), slide=slide, slides_far=True)


def _everywhere(plan: FloorPlan, value: float) -> FloorPlan:
    return replace(plan, values=np.full_like(plan.values, value))


def _wall(lungs: Exhaling, cage: _Cage, grid: Grid) -> SplineField:
    """The motion of what is not lung, from expiration to inspiration: the rise inside alone."""
    still = replace(lungs, chest=replace(lungs.chest, inside=_everywhere(lungs.chest.inside, 0.0)))
    lattice = lattice_over(grid, _NODE_MM)
    nodes = lattice.to_world(np.indices(lattice.shape, dtype=np.float64).reshape(3, -1).T)
    inhaled = nodes
    for _ in range(_ROUNDS):
        outer = still.at(inhaled)
        share = cage.at(inhaled)[:, None]
        inhaled = nodes - outer - share * (lungs.at(inhaled) - outer)
    return SplineField.through((inhaled - nodes).T.reshape(3, *lattice.shape), lattice)


def _relative(lungs: SplineField, wall: SplineField, scan: Scan) -> LatticeField:
    """Where lung at the wall's place in the inspiration lies instead: `T` of lung after the wall's.

    It goes on a little beyond the lungs and fades there.
    """
    grid, inside = lattice_around(scan)
    away = ndimage.distance_transform_edt(~inside, sampling=grid.spacing_mm)
    near = away < BEYOND_MM[1]
    places = grid.to_world(np.argwhere(near).astype(np.float64))
    before = places
    for _ in range(_ROUNDS):
        before = places - wall.at(before)
    values = np.zeros((3, *grid.shape), dtype=np.float32)
    values[:, near] = (before + lungs.at(before) - places).T
    low, high = BEYOND_MM
    values *= 1 - rise((away - low) / (high - low)).astype(np.float32)
    return LatticeField.through(values, grid)


def _cage(scan: Scan) -> _Cage:
    """In each slice the hull of both lungs, and below them that of the largest; without bones."""
    step = np.maximum(1, np.rint(_STEP_MM / scan.grid.spacing_mm)).astype(int)
    part = tuple(slice(None, None, int(n)) for n in step)
    index = np.diag([*step.astype(float), 1.0])
    lung = scan.mask[part] > 0
    grid = Grid(shape=(lung.shape[0], *lung.shape[1:]), affine=scan.grid.affine @ index)
    bone = ndimage.uniform_filter(scan.hu, step)[part] > _BONE_HU
    apart = ndimage.distance_transform_edt(~bone, sampling=grid.spacing_mm) > _BONE_MM
    free = _hulls(lung, grid) & apart
    depth = ndimage.distance_transform_edt(np.pad(free, 1, mode="edge"), sampling=grid.spacing_mm)
    smooth = ndimage.gaussian_filter(depth[1:-1, 1:-1, 1:-1], 5.0 / grid.spacing_mm)
    low, high = _WALL_MM
    return _Cage(share=rise((smooth - low) / (high - low)).astype(np.float32), grid=grid)


def _hulls(lung: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    axis, starts_low = bottom_face(grid)
    slices = np.moveaxis(lung, axis, 0)
    slices = slices if starts_low else slices[::-1]
    hulls = np.stack([_hull(part) for part in slices])
    widest = int(np.argmax(hulls.sum(axis=(1, 2))))
    for lower in range(widest - 1, -1, -1):
        hulls[lower] |= hulls[lower + 1]
    return np.asarray(np.moveaxis(hulls if starts_low else hulls[::-1], 0, axis))


def _hull(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(A, B) the convex hull of a slice's lungs."""
    points = np.argwhere(part)
    if len(points) < _FEWEST:
        return np.zeros_like(part)
    try:
        sides = ConvexHull(points).equations
    except QhullError:
        return np.zeros_like(part)
    places = np.indices(part.shape).reshape(2, -1)
    inside = (sides[:, :2] @ places + sides[:, 2:] <= 0.5).all(axis=0)
    return np.asarray(inside.reshape(part.shape))
