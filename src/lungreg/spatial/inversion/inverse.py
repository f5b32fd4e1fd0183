"""Invert a transform: for single points, and as a transform over the moving scan's box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from lungreg.errors import DataError
from lungreg.spatial.displacement import CPU
from lungreg.spatial.fused import is_fused
from lungreg.spatial.geometry import FloatArray, Grid, Shape, Transform, apply_affine
from lungreg.spatial.inversion.guess import Guess, residuals_mm
from lungreg.spatial.inversion.index_field import IndexField
from lungreg.spatial.inversion.newton import solve
from lungreg.spatial.slabs import slabs
from lungreg.spatial.threads import run_shares

MEAN_MM = 0.02
"""Largest mean residual that a stored inverse may have."""
MAX_MM = 0.1
"""Largest residual that it may have anywhere."""
SLAB_POINTS = 400_000
"""Points that are computed at once."""

_COARSENINGS = (4.0, 2.8, 2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125)
_NODES_PER_VOXEL = 4
_NODES = (2_000_000, 8_000_000)
"""Nodes that the finest grid may always have, and may never exceed."""
_STALLED = 0.9
_FEW_POINTS = 50_000
_TOLERANCE_MM = 2e-3
_FAR_TOLERANCE_MM = 0.05
"""At nodes beyond the lungs."""
_POINT_TOLERANCE_MM = 1e-6
_WITHIN_VOXEL = np.array([0.8191725134, 0.6710436067, 0.5497004779])


@dataclass(frozen=True, kw_only=True, eq=False)
class Inverse:
    """The inverse of a transform, with the residual that is left."""

    transform: Transform
    """From moving RAS mm to fixed RAS mm: `T^-1(y) = A^-1(y + v(y))`, `v` on a grid that fills the
    moving scan's box."""
    residual_mean_mm: float
    """Mean of `|T(T^-1(y)) - y|` over the voxels measured, mm."""
    residual_max_mm: float
    """Largest of `|T(T^-1(y)) - y|` over the voxels measured, mm."""
    voxels: int
    """Moving voxels measured: those that the inverse carries into the box of the transform's grid,
    of the lungs where they were given."""


def invert(
    transform: Transform,
    moving: Grid,
    *,
    lungs: NDArray[Any] | None = None,
    mean_mm: float = MEAN_MM,
    max_mm: float = MAX_MM,
    device: torch.device = CPU,
) -> Inverse:
    """Invert a transform on the coarsest of a few grids that is fine enough.

    The grids have 4 to 1/8 times the spacing of the transform's own field, and at most four nodes
    for each voxel of the moving scan (two million are always allowed, 8 million never exceeded).
    The first whose residual is at most `mean_mm` in the mean and `max_mm` at most is taken, or one
    that is no better than the grid two steps coarser, else the finest. The residual is taken at
    one point in each voxel, most of them between voxel centres. Where the transform folds it has
    several inverses and one is taken: it jumps, and the residual says so. Beyond the lungs, where
    they are given, a node is solved anew only if a coarser grid's value misses by 0.05 mm.

    Args:
        transform: `T(x) = A(x + u(x))`.
        moving: Grid of the moving scan.
        lungs: (X, Y, Z) on `moving`, positive inside: where the residual counts. None counts
            every voxel.
        mean_mm: Mean residual that is small enough.
        max_mm: Largest residual that is small enough.
        device: Where to compute.

    Raises:
        DataError: Lungs of another shape than the moving grid, a displacement that is not finite.
    """
    if lungs is not None and lungs.shape != moving.shape:
        msg = f"lungs on the moving grid have shape {moving.shape}"
        raise DataError(msg, got=lungs.shape)
    places = _places(moving, lungs)
    few = places[:: max(1, len(places) // _FEW_POINTS)]
    guess = Guess(
        field=IndexField.of(transform, device, torch.float32),
        to_index=np.linalg.inv(transform.affine @ transform.grid.affine),
        known=None,
    )
    back = np.linalg.inv(transform.affine)
    shapes = _shapes(transform, moving)
    number, seen_mm = 0, dict[int, float]()
    while number < len(shapes) - 1:
        inverse = _invert_on(guess, back, moving, shapes[number], lungs)
        guess = replace(guess, known=inverse)
        found = _measured(guess, inverse, moving, few)
        far_mm = min((mm for n, mm in seen_mm.items() if n <= number - 2), default=np.inf)
        if _is_settled(found, far_mm, mean_mm, max_mm):
            found = _measured(guess, inverse, moving, places)
            if _is_settled(found, far_mm, mean_mm, max_mm):
                return found
        seen_mm[number] = found.residual_max_mm
        number += _steps_finer(found, mean_mm, max_mm)
    inverse = _invert_on(guess, back, moving, shapes[-1], lungs)
    return _measured(replace(guess, known=inverse), inverse, moving, places)


def invert_points(
    transform: Transform, points_ras: FloatArray
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Invert a transform at points, exact to rounding wherever it does not fold.

    Args:
        transform: `T`.
        points_ras: (N, 3) in the moving scan's RAS mm.

    Returns:
        (N, 3) in the fixed scan's RAS mm, and (N,) `|T(T^-1(y)) - y|` in mm.
    """
    field = IndexField.of(transform, CPU, torch.float64)
    to_index = np.linalg.inv(transform.affine @ transform.grid.affine)
    points = np.asarray(points_ras, dtype=np.float64)
    targets = torch.as_tensor(apply_affine(to_index, points))
    index, residual_mm = solve(field, targets, targets, _POINT_TOLERANCE_MM)
    return transform.grid.to_world(index.numpy()), residual_mm.numpy()


def _shapes(transform: Transform, moving: Grid) -> list[Shape]:
    """Sizes of the grids to try, coarse to fine, each once and at least one."""
    to_field = np.linalg.inv(transform.affine @ transform.grid.affine) @ moving.affine
    cells = np.array(moving.shape) * np.abs(to_field[:3, :3]).max(axis=0)
    limit = min(max(_NODES_PER_VOXEL * moving.size, _NODES[0]), _NODES[1])
    shapes: list[Shape] = []
    for factor in _COARSENINGS:
        x, y, z = (np.ceil(cells / factor).astype(int) + 1).tolist()
        if not shapes or (x * y * z <= limit and (x, y, z) not in shapes):
            shapes.append((x, y, z))
    return shapes


def _places(moving: Grid, lungs: NDArray[Any] | None) -> NDArray[np.int64]:
    """(N,) flat indices of the moving voxels that count."""
    return np.arange(moving.size) if lungs is None else np.flatnonzero(np.asarray(lungs) > 0)


def _is_settled(inverse: Inverse, coarser_max_mm: float, mean_mm: float, max_mm: float) -> bool:
    """Whether an inverse is fine enough, or a finer grid would not help, as at a fold."""
    largest_mm = inverse.residual_max_mm
    return inverse.residual_mean_mm <= mean_mm and (
        largest_mm <= max_mm or largest_mm > _STALLED * coarser_max_mm
    )


def _steps_finer(inverse: Inverse, mean_mm: float, max_mm: float) -> int:
    """Guess how many grids finer, each about 1.4 times, the residual will be small enough.

    The mean falls with the square of the spacing, the largest, at the kinks of a field that is
    linear between its nodes, not much faster than the spacing itself.
    """
    mean = np.log(max(inverse.residual_mean_mm / mean_mm, 1.0)) / 2
    largest = np.log(max(inverse.residual_max_mm / max_mm, 1.0)) / 1.5
    return max(1, int(max(mean, largest) / np.log(1.42)))


def _face_to_face(moving: Grid, shape: Shape) -> Grid:
    """A grid whose outer nodes lie on the faces of the moving scan's box."""
    steps = np.array(moving.shape) / np.maximum(np.array(shape) - 1, 1)
    index = np.diag([*steps, 1.0])
    index[:3, 3] = -0.5
    return Grid(shape=shape, affine=moving.affine @ index)


def _invert_on(
    guess: Guess, back: FloatArray, moving: Grid, shape: Shape, lungs: NDArray[Any] | None
) -> Transform:
    """The inverse with `v` at the nodes of a grid of this shape, solved from a guess.

    Args:
        guess: From a coarser grid.
        back: (4, 4) `A^-1`.
        moving: Grid of the moving scan.
        shape: Of the nodes.
        lungs: (X, Y, Z) on `moving`, positive inside.
    """
    grid, field = _face_to_face(moving, shape), guess.field
    tolerance_mm = _tolerances(moving, grid, None if guess.known is None else lungs)
    values = np.empty((3, grid.size), dtype=np.float32)
    for start, stop in slabs((grid.size,), SLAB_POINTS):
        targets, moved = guess.at(grid, np.arange(start, stop))
        tolerance = torch.as_tensor(tolerance_mm[start:stop], device=targets.device)
        index, _ = solve(field, targets, targets + moved, tolerance)
        values[:, start:stop] = (field.to_mm @ (index - targets).T).cpu().numpy()
    return Transform(
        affine=back, displacement_mm=_balanced(values.reshape(3, *grid.shape)), grid=grid
    )


def _tolerances(moving: Grid, grid: Grid, lungs: NDArray[Any] | None) -> NDArray[np.float32]:
    """(N,) residual in mm that each node may have, larger far from the lungs."""
    if lungs is None:
        return np.full(grid.size, _TOLERANCE_MM, dtype=np.float32)
    near = np.asarray(lungs) > 0
    nodes = []
    for axis, count in enumerate(grid.shape):
        step = moving.shape[axis] / max(count - 1, 1)
        near = maximum_filter1d(near, 2 * int(np.ceil(step + 0.5)) + 1, axis=axis)
        nodes.append(np.clip(np.rint(np.arange(count) * step - 0.5), 0, moving.shape[axis] - 1))
    wanted = near[np.ix_(*(node.astype(int) for node in nodes))].ravel()
    return np.where(wanted, np.float32(_TOLERANCE_MM), np.float32(_FAR_TOLERANCE_MM))


def _balanced(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shift node values so that linear interpolation of a curved field errs to both sides.

    Between exact values it errs to one side only, by at most an eighth of the second difference.
    With nodes shifted by a sixteenth it errs by at most a sixteenth to either side.
    """
    if is_fused(CPU):
        from lungreg.spatial.inversion.kernel import balanced_share

        balanced = np.empty_like(values)
        run_shares(lambda a, b: balanced_share(a, b, values, balanced), values.shape[1])
        return balanced
    balanced = values.copy()
    for axis in (1, 2, 3):
        if values.shape[axis] > 2:
            bend = np.diff(values, n=2, axis=axis) * np.float32(1 / 16)
            np.moveaxis(balanced, axis, 0)[1:-1] -= np.moveaxis(bend, axis, 0)
    return balanced


def _measured(guess: Guess, inverse: Transform, moving: Grid, places: NDArray[np.int64]) -> Inverse:
    """Measure `|T(T^-1(y)) - y|` at moving voxels (N,) that land in the box of the fixed field.

    Args:
        guess: Of which `inverse` is what is known.
        inverse: To be measured.
        moving: Grid of the moving scan.
        places: (N,) flat indices of its voxels.
    """
    total, largest, count = 0.0, 0.0, 0
    for start, stop in slabs((len(places),), SLAB_POINTS):
        gap_mm = residuals_mm(guess.field, *guess.at(moving, places[start:stop], _WITHIN_VOXEL))
        count += len(gap_mm)
        total += float(gap_mm.double().sum())
        largest = max(largest, float(gap_mm.max())) if len(gap_mm) else largest
    return Inverse(
        transform=inverse,
        residual_mean_mm=total / max(count, 1),
        residual_max_mm=largest,
        voxels=count,
    )
