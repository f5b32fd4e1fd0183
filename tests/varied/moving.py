"""The moving scan of a varied pair: the inspiration in its own pose, on its own voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lungreg.spatial.geometry import FloatArray, Grid, apply_affine
from tests.varied.plan import Plan
from tests.varied.scans import (
    AIR_HU,
    Sampler,
    Scan,
    lungs_centre_ras,
    reshaped,
    with_header,
)

_TABLE_MM, _LIE_DEGREES = 4.0, 2.0
_MARGIN_MM = 20.0
_SAGITTAL_MM = 5.0


def pose_of(rng: np.random.Generator, source: Scan, plan: Plan, *, real: bool) -> FloatArray:
    """(4, 4) from the inspiration's world to the moving scan's: where the patient lies.

    Without trouble the table moves by some mm; an analytic patient turns by a degree or two. A real
    CT is not turned without need, so that it is not resampled.
    """
    degrees = np.array(plan.turn_degrees) * rng.choice([-1, 1])
    if not real and not plan.sagittal:
        degrees = degrees + rng.uniform(-_LIE_DEGREES, _LIE_DEGREES, 3)
    shift = rng.uniform(-_TABLE_MM, _TABLE_MM, 3)
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    centre = lungs_centre_ras(source)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, centre + shift - turn @ centre
    return pose


def inspired(
    rng: np.random.Generator, sampler: Sampler, pose: FloatArray, plan: Plan, *, real: bool
) -> Scan:
    """The inspiration as the moving scan shows it, before its kernel and noise."""
    source = sampler.scan
    if plan.sagittal:
        return _sagittal(source, pose)
    turned = max(map(abs, plan.turn_degrees)) > 0
    if real and not turned:
        return with_header(source, pose)
    scale = 1.0 if real else float(rng.uniform(0.9, 1.03))
    grid = _grid(source, scale, real=real)
    if turned:
        grid = _around(source, pose, grid)
        sampler = Sampler(source, outside_hu=AIR_HU)
    return sampler.scan_at(grid, np.linalg.inv(pose))


def analytic_grid(box: Grid, scale: float) -> Grid:
    """Voxels for the box of an analytic chest: of 1.8 x 1.8 x 2.5 mm, or its own, times a scale."""
    voxel_mm = np.maximum([1.8, 1.8, 2.5], box.spacing_mm)
    counts = np.array(box.shape) * box.spacing_mm / (voxel_mm * scale)
    nx, ny, nz = (int(np.ceil(n)) for n in counts)
    return box.resized((nx, ny, nz))


def _grid(source: Scan, scale: float, *, real: bool) -> Grid:
    return source.grid if real else analytic_grid(source.grid, scale)


def _around(source: Scan, pose: FloatArray, like: Grid) -> Grid:
    """Voxels like a grid's around the lungs as they lie, which the turn carries out of its box."""
    voxels = np.argwhere(source.mask[::3, ::3, ::3] > 0) * 3.0
    lungs = like.to_voxel(apply_affine(pose, source.grid.to_world(voxels)))
    margin = _MARGIN_MM / like.spacing_mm
    low = np.minimum(np.floor(lungs.min(axis=0) - margin), 0)
    high = np.maximum(np.ceil(lungs.max(axis=0) + margin) + 1, like.shape)
    nx, ny, nz = (int(n) for n in high - low)
    affine = np.array(like.affine)
    affine[:3, 3] = like.to_world(low[None])[0]
    return Grid(shape=(nx, ny, nz), affine=affine)


def _sagittal(source: Scan, pose: FloatArray) -> Scan:
    """Thick slices from side to side; indices run to the front or back, down, and across."""
    across = int(np.abs(source.grid.directions[0]).argmax())
    along = int(np.abs(source.grid.directions[2]).argmax())
    other = 3 - across - along
    extent = np.array(source.grid.shape) * source.grid.spacing_mm
    fine = np.maximum(1.0, 0.7 * source.grid.spacing_mm)
    counts = np.ceil(extent / fine).astype(int)
    counts[across] = int(np.ceil(extent[across] / _SAGITTAL_MM))
    thin = list(source.grid.shape)
    thin[across] = int(counts[across])
    thick = reshaped(source, (thin[0], thin[1], thin[2]))
    grid = source.grid.resized((int(counts[0]), int(counts[1]), int(counts[2])))
    flat = Sampler(thick).scan_at(grid, np.eye(4))
    return with_header(_reordered(flat, (other, along, across)), pose)


def _reordered(scan: Scan, order: tuple[int, int, int]) -> Scan:
    """The same voxels with their axes in another order, the second one reversed."""

    def moved(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(values.transpose(order)[:, ::-1])

    index = np.zeros((4, 4))
    index[[*order, 3], range(4)] = 1
    index[order[1], 1] = -1
    index[order[1], 3] = scan.grid.shape[order[1]] - 1
    hu, mask = moved(scan.hu), moved(scan.mask)
    grid = Grid(shape=(hu.shape[0], hu.shape[1], hu.shape[2]), affine=scan.grid.affine @ index)
    return Scan(hu=hu.astype(np.float32), mask=mask.astype(np.uint8), grid=grid)
