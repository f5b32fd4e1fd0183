"""The true motion of a varied pair: smooth breathing, irregular parts, the heart, and sliding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.breathing import draw_breathing
from lungreg.sources.simulation.chest import measure_chest
from lungreg.sources.simulation.records import BreathingSettings
from lungreg.sources.simulation.spline import SplineField, lattice_over
from lungreg.spatial.displacement import jacobian_determinant
from lungreg.spatial.geometry import FloatArray, Grid
from tests.varied.scans import Scan, lungs_centre_ras
from tests.varied.slide import LatticeField, draw_slide, on_grid

RIB_MM = (1.0, 8.0)
_LEAST_JACOBIAN = 0.3
_SHARES = (1.0, 0.8, 0.6, 0.45, 0.3, 0.15, 0.0)
_HEART_NODE_MM = 10.0


class Breath(NamedTuple):
    """How a patient breathes, beside what the seed says."""

    slides: bool = False
    """The whole breath slides along the wall."""
    deep: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """`T`, from expiration to inspiration, both in the inspiration's own world: closed form."""

    smooth: tuple[SplineField, ...]
    """Displacements that are added, given at expiration."""
    slide: LatticeField
    """What the lungs slide by, given at inspiration, after the smooth parts."""
    slides_far: bool = False
    """Whether most of the breath is sliding: then it changes the lungs' size too."""

    def at(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """`T` of points (N, 3) in RAS mm, as if they were lung: the wall does not slide."""
        points = np.asarray(points_ras, dtype=np.float64)
        middle = points + sum(field.at(points) for field in self.smooth)
        return np.asarray(middle + self.slide.at(middle))

    def smooth_mm(self, grid: Grid) -> NDArray[np.float32]:
        """(3, X, Y, Z) the smooth parts on a grid whose axes are those of the splines."""
        return np.asarray(sum(on_grid(field, grid) for field in self.smooth), dtype=np.float32)


def draw_motion(rng: np.random.Generator, scan: Scan, most_mm: tuple[float, float]) -> Motion:
    """Draw a motion for an inspiration.

    Args:
        rng: Source of the differences between cases.
        scan: The inspiration; splines are laid over its grid.
        most_mm: Range of the diaphragm's greatest motion by breathing alone; small lungs move less.
    """
    diaphragm_mm = float(rng.uniform(*most_mm))
    settings = BreathingSettings(diaphragm_mm=(diaphragm_mm, diaphragm_mm), rib_mm=RIB_MM)
    chest = measure_chest(scan.mask, scan.grid)
    breath = draw_breathing(rng, chest, scan.grid, settings).field
    smooth = irregular_parts(rng, scan, breath)
    return Motion(smooth=smooth, slide=draw_slide(rng, scan, rng.uniform(0, 8)))


def irregular_parts(
    rng: np.random.Generator, scan: Scan, breath: SplineField
) -> tuple[SplineField, ...]:
    """The breath, and motions of few mm beside it with which nothing folds."""
    drift = _irregular(rng, scan, breath, node_mm=rng.uniform(50, 80), most_mm=rng.uniform(2, 10))
    fine = _irregular(rng, scan, breath, node_mm=rng.uniform(20, 40), most_mm=rng.uniform(2, 6))
    heart = _heart(rng, scan)
    return _without_folds(breath, (drift, fine, heart), scan)


def _irregular(
    rng: np.random.Generator, scan: Scan, breath: SplineField, *, node_mm: float, most_mm: float
) -> SplineField:
    """Random motion that differs from place to place, in the lungs and a little around them."""
    lattice = lattice_over(scan.grid, node_mm)
    values = rng.normal(0, 1, (3, *lattice.shape))
    nodes = lattice.to_world(np.indices(lattice.shape, dtype=np.float64).reshape(3, -1).T)
    around = _near_lungs(scan, nodes + breath.at(nodes)).reshape(lattice.shape)
    field = SplineField(lattice=lattice, coefficients=(values * around).astype(np.float32))
    size = np.linalg.norm(field.at(_lung_points(scan)), axis=1)
    return _times(field, most_mm / float(np.percentile(size, 95)))


def _near_lungs(scan: Scan, points_ras: FloatArray) -> NDArray[np.float64]:
    """(N,) 1 in the lungs, falling to 0 over some 30 mm around them."""
    step = np.maximum(1, (4.0 / scan.grid.spacing_mm).astype(int))
    few = scan.mask[:: step[0], :: step[1], :: step[2]].astype(np.float32)
    near = ndimage.gaussian_filter(few, 15.0 / (step * scan.grid.spacing_mm))
    places = scan.grid.to_voxel(points_ras).T / step[:, None]
    found: NDArray[np.float64] = ndimage.map_coordinates(
        near, places, output=np.float64, order=1, mode="nearest"
    )
    return np.clip(2.5 * found, 0.0, 1.0)


def _heart(rng: np.random.Generator, scan: Scan) -> SplineField:
    """The heart beats: a pull towards its middle and a shift, fading over some 40 mm."""
    lattice = lattice_over(scan.grid, _HEART_NODE_MM)
    nodes = lattice.to_world(np.indices(lattice.shape, dtype=np.float64).reshape(3, -1).T)
    centre = lungs_centre_ras(scan) + rng.normal((-20.0, 20.0, -30.0), 8.0)
    away = nodes - centre
    near = np.exp(-0.5 * ((away / rng.uniform(28, 42, 3)) ** 2).sum(axis=1))[:, None]
    moved = near * (rng.uniform(-0.15, 0.15) * away + rng.normal(0, 2.0, 3))
    return SplineField.through(moved.T.reshape(3, *lattice.shape), lattice)


def _without_folds(
    breath: SplineField, others: tuple[SplineField, ...], scan: Scan
) -> tuple[SplineField, ...]:
    """The largest share of the irregular parts with which nothing folds in and around the lungs."""
    nx, ny, nz = (max(2, int(n)) for n in np.array(scan.grid.shape) * scan.grid.spacing_mm / 4)
    grid = scan.grid.resized((nx, ny, nz))
    basis = [on_grid(field, grid) for field in (breath, *others)]
    mixed = basis[0]
    for share in _SHARES:
        mixed = basis[0] + np.float32(share) * sum(basis[1:])
        if jacobian_determinant(np.eye(4), mixed, grid).min() > _LEAST_JACOBIAN:
            return (breath, *(_times(field, share) for field in others))
    return (breath,)


def _lung_points(scan: Scan) -> NDArray[np.float64]:
    voxels = np.argwhere(scan.mask > 0)
    step = max(1, len(voxels) // 4000)
    return np.asarray(scan.grid.to_world(voxels[::step].astype(np.float64)))


def _times(field: SplineField, factor: float) -> SplineField:
    return replace(field, coefficients=field.coefficients * np.float32(factor))
