"""Pairs whose tissue lies where no smooth breath puts it: changes of the moving scan and its truth.

A registration does not follow such tissue, and its places find no partner: what is left agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.spatial.geometry import FloatArray, Grid
from tests.varied.pairs import make_varied
from tests.varied.record import Truth, VariedCase

_AIR_HU, _LUNG_BELOW_HU = np.float32(-1000.0), np.float32(-300.0)
_Rng = np.random.Generator
_Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _After:
    """A truth, and what became of the moving scan's tissue."""

    truth: Truth
    forward: Callable[[_Points], _Points]

    def __call__(self, points_ras: FloatArray) -> _Points:
        return self.forward(self.truth(points_ras))


def _pneumothorax(rng: _Rng, case: VariedCase) -> VariedCase:
    """Air in front of one lung, which falls back to 0.7 to 0.85 of its depth.

    With an even seed the mask holds the air.
    """
    grid, mask = case.pair.moving.grid, case.moving_mask > 0
    lung = _one_side(rng, mask, grid)
    left, backs = float(rng.uniform(0.7, 0.85)), _backs(lung, grid)

    def pressed(points: _Points, factor: float) -> _Points:
        voxels = grid.to_voxel(points)
        axis = grid.axis_along(1)
        columns = np.delete(np.rint(voxels), axis, axis=1).astype(int)
        x, y = np.clip(columns, 0, np.array(backs.shape) - 1).T
        voxels[:, axis] = backs[x, y] + factor * (voxels[:, axis] - backs[x, y])
        return np.asarray(grid.to_world(voxels))

    def inside(points: _Points) -> NDArray[np.bool_]:
        return _at(lung.astype(np.float32), grid, points, order=0) > 0.5

    def forward(points: _Points) -> _Points:
        return np.where(inside(points)[:, None], pressed(points, left), points)

    def backward(points: _Points) -> _Points:
        return pressed(points, 1 / left)

    made = _rearranged(case, backward)
    filled = lung & inside(backward(_centres(grid))).reshape(grid.shape)
    # Pressed together, lung holds as much tissue in less room.
    denser = np.where(made < _LUNG_BELOW_HU, (made - _AIR_HU) / left + _AIR_HU, made)
    hu = np.where(lung, np.where(filled, denser, _AIR_HU), case.pair.moving_hu)
    labels = mask if case.seed % 2 == 0 else mask & (filled | ~lung)
    return _with(case, hu, labels, forward)


def _backs(lung: NDArray[np.bool_], grid: Grid) -> NDArray[np.int64]:
    """The voxel furthest to the patient's back in each line of lung from back to front."""
    along = np.moveaxis(lung, grid.axis_along(1), 0)
    if grid.directions[1, grid.axis_along(1)] > 0:
        return np.asarray(along.argmax(axis=0))
    return np.asarray(len(along) - 1 - along[::-1].argmax(axis=0))


def _moved_between(rng: _Rng, case: VariedCase) -> VariedCase:
    """The patient moved to one side by 15 to 20 mm before the lower part was scanned."""
    grid, mask = case.pair.moving.grid, case.moving_mask > 0
    heights = _centres(grid)[mask.ravel()][:, 2]
    cut_mm = float(np.quantile(heights, rng.uniform(0.35, 0.65)))
    step = np.zeros(3)
    step[int(rng.integers(2))] = rng.choice([-1.0, 1.0]) * rng.uniform(15, 20)

    def shifted(sign: float) -> Callable[[_Points], _Points]:
        return lambda points: points + sign * step * (points[:, 2:] < cut_mm)

    forward, backward = shifted(1.0), shifted(-1.0)
    labels = _at(mask.astype(np.float32), grid, backward(_centres(grid)), order=0) > 0.5
    return _with(case, _rearranged(case, backward), labels.reshape(grid.shape), forward)


def _swapped(rng: _Rng, case: VariedCase) -> VariedCase:
    """Two neighbouring blocks of slices, 20 to 40 mm each, are in the wrong order."""
    grid, mask = case.pair.moving.grid, case.moving_mask > 0
    axis = grid.axis_along(2)
    count = max(1, round(rng.uniform(20, 40) / grid.spacing_mm[axis]))
    shown = np.flatnonzero(np.moveaxis(mask, axis, 0).any(axis=(1, 2)))
    last = max(shown[0], shown[-1] - 2 * count)
    first = int(shown[0] + rng.uniform(0.2, 0.8) * (last - shown[0]))
    order = np.arange(grid.shape[axis])
    block = order[first : first + 2 * count].copy()
    order[first : first + 2 * count] = np.roll(block, min(count, len(block) // 2))
    new_place = np.argsort(order)

    def forward(points: _Points) -> _Points:
        voxels = grid.to_voxel(points)
        slices = np.clip(np.rint(voxels[:, axis]), 0, len(order) - 1).astype(int)
        voxels[:, axis] += new_place[slices] - slices
        return np.asarray(grid.to_world(voxels))

    hu = np.take(case.pair.moving_hu, order, axis=axis)
    return _with(case, hu, np.take(mask, order, axis=axis), forward)


_KINDS: Mapping[str, Callable[[_Rng, VariedCase], VariedCase]] = MappingProxyType(
    {"pneumothorax": _pneumothorax, "moved_between": _moved_between, "swapped_slices": _swapped}
)
DISPLACED: Mapping[str, str] = MappingProxyType(
    {name: (change.__doc__ or "").splitlines()[0] for name, change in _KINDS.items()}
)
"""Name -> what is displaced, in one line."""


def make_displaced(kind: str, base: str, seed: int) -> VariedCase:
    """Displace tissue in the moving scan of the pair without trouble.

    Args:
        kind: A key of `DISPLACED`.
        base: One of `BASES`.
        seed: Not negative. See `is_held_back`.

    Raises:
        ValueError: A base that is not available.
        KeyError: An unknown kind.
    """
    rng = np.random.default_rng([seed, list(_KINDS).index(kind)])
    return replace(_KINDS[kind](rng, make_varied(base, "none", seed)), trouble=kind)


def _one_side(rng: _Rng, mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    across = _centres(grid)[:, 0].reshape(grid.shape)
    middle = float(np.median(across[mask]))
    return np.asarray(mask & (across > middle if rng.random() < 0.5 else across < middle))


def _rearranged(case: VariedCase, backward: Callable[[_Points], _Points]) -> NDArray[np.float32]:
    """(U, V, W) HU of the moving scan with its tissue at its new places.

    `backward` carries points (N, 3) of the new scan to where they were, RAS mm.
    """
    grid = case.pair.moving.grid
    values = _at(case.pair.moving_hu, grid, backward(_centres(grid)), order=1)
    return np.asarray(values.reshape(grid.shape), dtype=np.float32)


def _with(
    case: VariedCase,
    hu: NDArray[np.float32],
    mask: NDArray[np.bool_],
    forward: Callable[[_Points], _Points],
) -> VariedCase:
    moving = case.pair.moving
    offset = np.float32(case.pair.case.moving_hu_offset)
    scan = replace(moving, data=np.rint(hu + offset).astype(np.float32))
    truth = case.truth
    if truth is None:
        msg = f"{case.name} has no truth"
        raise ValueError(msg)
    return replace(
        case,
        pair=replace(case.pair, moving=scan),
        moving_mask=mask.astype(np.uint8),
        truth=_After(truth=truth, forward=forward),
    )


def _centres(grid: Grid) -> _Points:
    """(N, 3) the voxels' places, RAS mm."""
    return np.asarray(grid.to_world(np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T))


def _at(values: NDArray[np.float32], grid: Grid, points: _Points, *, order: int) -> _Points:
    where = grid.to_voxel(points).T
    return np.asarray(ndimage.map_coordinates(values, where, order=order, mode="nearest"))
