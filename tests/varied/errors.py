"""Known errors put on a true transform: what a check without landmarks must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.spline import SplineField, lattice_over
from lungreg.spatial.geometry import FloatArray, Grid, Transform, affine_transform
from tests.varied.record import VariedCase
from tests.varied.slide import along_wall, on_grid, rise

_Rng = np.random.Generator
_WALL_PER_ERROR, _LEAST_WALL_MM = 1.3, 12.0
"""The error grows from nothing at the wall over so many mm, so that next to nothing folds."""
_SLIDING_MM = 4.0


def inner(rng: _Rng, case: VariedCase, *, size_mm: float) -> Transform:
    """A smooth error deep in the lungs that leaves their outlines in place.

    A wave of 60 to 120 mm in a random direction, nothing at the wall. `size_mm` is its length where
    the wall no longer damps it, from 12 to 20 mm below the surface on.
    """
    grid = case.nodes()
    depth = _depth(case, grid)
    window = rise(depth / max(_LEAST_WALL_MM, _WALL_PER_ERROR * size_mm))
    error = _wave(rng, grid, rng.uniform(60, 120)) * window
    return _with(case, size_mm * error)


def local(rng: _Rng, case: VariedCase, *, size_mm: float) -> Transform:
    """The same in the lower third of one lung alone; the rest is right."""
    grid = case.nodes()
    depth = _depth(case, grid)
    places = grid.to_world(np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T)
    x, _, z = places.T.reshape(3, *grid.shape)
    lung = depth > 0
    side = 1 if rng.random() < 0.5 else -1
    low, high = np.percentile(z[lung], (1, 99))
    below = 1 - rise(((z - low) / (high - low) - 0.35) / 0.2)
    beside = rise(side * (x - np.median(x[lung])) / 30.0)
    window = rise(depth / max(_LEAST_WALL_MM, _WALL_PER_ERROR * size_mm)) * below * beside
    window /= window.max()
    return _with(case, size_mm * window * _wave(rng, grid, rng.uniform(90, 150)))


def slid(rng: _Rng, case: VariedCase, *, size_mm: float) -> Transform:
    """The whole inside slid along the wall, mostly along the body."""
    grid = case.nodes()
    depth = _depth(case, grid)
    direction = rng.normal(0, 1, 3) * (0.3, 0.4, 1.0)
    direction *= size_mm / np.linalg.norm(direction)
    everywhere = np.ones((3, *grid.shape), np.float32)
    everywhere *= direction.astype(np.float32)[:, None, None, None]
    error = along_wall(everywhere, depth, grid) * rise(depth / max(_SLIDING_MM, 0.8 * size_mm))
    return _with(case, error)


def folded(rng: _Rng, case: VariedCase) -> Transform:
    """Right but for six to ten places of some 15 mm where tissue folds."""
    grid = case.nodes()
    lung = np.argwhere(_depth(case, grid) > 8.0)
    points = grid.to_world(np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T)
    error = np.zeros_like(points)
    for number in rng.integers(len(lung), size=int(rng.integers(6, 11))):
        away = points - grid.to_world(lung[number : number + 1].astype(np.float64))
        near = np.exp(-0.5 * (away**2).sum(axis=1) / 8.0**2)[:, None]
        error -= 2.2 * near * away
    return _with(case, error.T.reshape(3, *grid.shape))


def good(rng: _Rng, case: VariedCase) -> Transform:
    """Right but for a smooth rest of 0.5 to 1.2 mm, as a good registration leaves it."""
    grid = case.nodes()
    lattice = lattice_over(grid, float(rng.uniform(15, 35)))
    values = rng.normal(0, 1, (3, *lattice.shape)).astype(np.float32)
    error = on_grid(SplineField(lattice=lattice, coefficients=values), grid)
    return _with(case, _sized(error, _depth(case, grid) > 0, float(rng.uniform(0.5, 1.2))))


def nothing(rng: _Rng, case: VariedCase) -> Transform:
    """No motion but the shift that lays the middles of the lungs over each other."""
    affine = np.eye(4)
    affine[:3, 3] = _middle(case.moving_mask, case.pair.moving.grid)
    affine[:3, 3] -= _middle(case.fixed_mask, case.pair.fixed.grid)
    return affine_transform(affine, case.nodes())


def affine_only(rng: _Rng, case: VariedCase) -> Transform:
    """The affine that fits the landmarks best, and nothing else."""
    points = case.landmarks_ras
    design = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    fitted = np.linalg.lstsq(design, case.true_moving(points), rcond=None)[0]
    affine = np.eye(4)
    affine[:3] = fitted.T
    return affine_transform(affine, case.nodes())


ERRORS: Mapping[str, Callable[[_Rng, VariedCase], Transform]] = MappingProxyType(
    {
        "good": good,
        **{f"inner{size}": partial(inner, size_mm=size) for size in (3, 5, 8, 10, 15)},
        **{f"local{size}": partial(local, size_mm=size) for size in (5, 8, 12)},
        **{f"slid{size}": partial(slid, size_mm=size) for size in (5, 10)},
        "folds": folded,
        "nothing": nothing,
        "affine": affine_only,
    }
)


def make_error(name: str, case: VariedCase, seed: int) -> Transform:
    """A transform of a case with a known error; `case.error_mm` of it is the error at landmarks.

    Args:
        name: A key of `ERRORS`.
        case: A pair with a truth.
        seed: The same one makes the same error.
    """
    return ERRORS[name](np.random.default_rng([seed, list(ERRORS).index(name)]), case)


def _with(case: VariedCase, error_mm: FloatArray) -> Transform:
    """The truth plus an error (3, X, Y, Z) on the nodes of the case."""
    true = case.true_transform()
    return case.transform_from(true.displacement_mm + error_mm.astype(np.float32), true.grid)


def _depth(case: VariedCase, grid: Grid) -> NDArray[np.float64]:
    """(X, Y, Z) how deep in the fixed scan's lungs the nodes lie, mm; 0 outside.

    Faces of the scan that cut the lungs are no wall.
    """
    fixed = case.pair.fixed.grid
    padded = np.pad(case.fixed_mask > 0, 1, mode="edge")
    depth = ndimage.distance_transform_edt(padded, sampling=fixed.spacing_mm)[1:-1, 1:-1, 1:-1]
    index = np.linalg.inv(fixed.affine) @ grid.affine
    return np.asarray(
        ndimage.affine_transform(
            depth,
            index.diagonal()[:3],
            index[:3, 3],
            output_shape=grid.shape,
            order=1,
            mode="nearest",
        )
    )


def _wave(rng: _Rng, grid: Grid, length_mm: float) -> NDArray[np.float64]:
    """(3, X, Y, Z) a wave that turns around its own direction: of length 1 everywhere.

    It moves across the direction in which it changes, so that it neither squeezes nor folds.
    """
    points = grid.to_world(np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T)
    along, first, second = np.linalg.qr(rng.normal(0, 1, (3, 3)))[0].T
    phase = 2 * np.pi * (points @ along / length_mm + rng.random())
    wave = np.sin(phase)[:, None] * first + np.cos(phase)[:, None] * second
    return np.asarray(wave.T.reshape(3, *grid.shape))


def _sized(error: FloatArray, where: NDArray[np.bool_], size_mm: float) -> NDArray[np.float64]:
    """An error scaled to a mean length over some nodes."""
    return np.asarray(error * (size_mm / float(np.linalg.norm(error, axis=0)[where].mean())))


def _middle(mask: NDArray[np.uint8], grid: Grid) -> NDArray[np.float64]:
    return np.asarray(grid.to_world(np.argwhere(mask > 0).mean(axis=0, keepdims=True))[0])
