"""Fine structure that stays at its place in the scanner while tissue moves.

Rings, streaks, or a part of one scan that was mixed into the other (view sharing, a prior image, an
average of phases) look alike at the same place of both scans. A registration follows them, and so
do the partners of distinctive places, so that no measure of agreement shows it. Tissue does not:
where it moves by more than what is compared, other tissue lies at the same place, and does not
correlate, unless both are of one coarse grain: so much as the fixed scan correlates with itself at
that distance is taken off. It is the middle one of those along its axes, since rings go through all
slices alike, and thick slices are of one grain along the body alone.

A strong pattern holds `T` so still that it moves nothing far. The first alignment, of coarse
structures, is not held: where it moves the lungs and `T` takes that back in much of them, the
places that `T` holds count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lungreg.registration.pair import Pair
from lungreg.registration.refinement.features import local_contrast
from lungreg.spatial.displacement import CPU, transform_points
from lungreg.spatial.geometry import FloatArray, Grid, Transform, apply_affine
from lungreg.spatial.mask_box import in_mask, mask_box, some_voxels
from lungreg.spatial.neighbours import eroded

_MOST_PLACES = 30_000
_FEWEST = 500
_LEAST_SHARE = 0.02
"""Of the places, that `T` moves far enough: of fewer, a single vessel decides."""
_FAR_MM, _FAR_VOX = 4.0, 2.5
"""How far `T` moves a place that counts: further than local contrast looks."""
_HELD_SHARE, _HELD_STEP = 0.43, 0.5
"""`T` is held still where it moves tissue by less than half of what its affine part does, in more
than that share of the lungs that this moves far. In good pairs of tests/varied it is 0.37 at most
(0.18 by the headers), with streaks that hold `T` 0.48 to 0.88."""
_SURROUNDINGS_VOX = 4
_LUNG_HU = (-1000.0, 0.0)
_SAME_MM = 1.0


def correlation_in_place(
    pair: Pair, transform: Transform, *, device: torch.device = CPU
) -> float | None:
    """Correlation of both scans' local contrast at one place of the scanner, at most 1.

    Above that of the fixed scan with itself as far away as `T` moves tissue. By the headers' world
    and, where the scans have one shape, by their voxels: the larger. Deep in the lungs of both,
    where `T` moves tissue far from that place, or holds what its affine part moves far.

    Args:
        pair: The case in memory.
        transform: `T`.
        device: Where to compute.

    Returns:
        None where too few places are moved far, as in scans of one breath, or lungs are not known.
    """
    fixed, moving = pair.fixed_lungs.inside, pair.moving_lungs.inside
    if fixed is None or moving is None:
        return None
    grid = pair.fixed.grid
    voxels = some_voxels(eroded(eroded(fixed)), _MOST_PLACES)
    if len(voxels) < _FEWEST:
        return None
    points = grid.to_world(voxels)
    judged = _judged(points, _same_places(pair, points, voxels), transform, grid)
    if not judged:
        return None
    contrasts = (
        _Contrast.of(pair.fixed_hu, grid, fixed, device),
        _Contrast.of(pair.moving_hu, pair.moving.grid, moving, device),
    )
    deep = eroded(eroded(moving))
    found = []
    for places in judged:
        same, seen = places.same, places.chosen & in_mask(places.same, deep, pair.moving.grid)
        if seen.sum() >= _FEWEST:
            alike = _correlation(contrasts[0].at(points[seen]), contrasts[1].at(same[seen]))
            grain = _grain(contrasts[0], points, fixed, float(np.median(places.steps_mm[seen])))
            found.append(alike - max(grain, 0.0))
    return max((value for value in found if np.isfinite(value)), default=None)


class _Places(NamedTuple):
    """Places of the lungs, of which some should not correlate with the same ones."""

    same: FloatArray
    """(N, 3) at the same place of the scanner, moving RAS mm."""
    chosen: NDArray[np.bool_]
    """(N,) which should not."""
    steps_mm: FloatArray
    """(N,) from there to where their tissue lies."""


def _judged(
    points: FloatArray, by_header: list[FloatArray], transform: Transform, grid: Grid
) -> list[_Places]:
    """Sets of enough places (N, 3) of the lungs, fixed RAS mm, that tell a pattern from tissue."""
    moved = transform_points(transform, points)
    aligned = apply_affine(transform.affine, points)
    # Wherever headers lie, what a pattern holds is shifted as a whole.
    by_shift = points + np.median(moved - points, axis=0)
    found = [_moved_far(same, moved, grid) for same in by_header]
    found += [_held_still(same, moved, aligned) for same in (*by_header, by_shift)]
    fewest = max(_FEWEST, _LEAST_SHARE * len(points))
    return [places for places in found if np.count_nonzero(places.chosen) >= fewest]


def _moved_far(same: FloatArray, moved: FloatArray, grid: Grid) -> _Places:
    """Those that `T` moves far from the same place."""
    far_mm = max(_FAR_MM, _FAR_VOX * float(np.cbrt(grid.voxel_volume_mm3)))
    steps_mm = np.linalg.norm(moved - same, axis=1)
    return _Places(same, steps_mm > far_mm, steps_mm)


def _held_still(same: FloatArray, moved: FloatArray, aligned: FloatArray) -> _Places:
    """Those that the affine part of `T` moves far and the rest takes back; none where few are."""
    by_all, by_affine = (np.linalg.norm(it - same, axis=1) for it in (moved, aligned))
    far = by_affine > _FAR_MM
    held = far & (by_all < _HELD_STEP * by_affine)
    if held.sum() < _HELD_SHARE * far.sum():
        held = np.zeros_like(held)
    return _Places(same, held, by_affine)


def _grain(
    contrast: _Contrast, points: FloatArray, lungs: NDArray[np.bool_], step_mm: float
) -> float:
    """Correlation of a scan's local contrast with itself a step away, the middle of its axes'.

    Args:
        contrast: Of the scan.
        points: (N, 3) places in its lungs, RAS mm.
        lungs: (X, Y, Z) on the whole scan.
        step_mm: Length of the step.
    """
    whole = contrast.whole
    found = []
    for direction in whole.directions.T:
        there = points + step_mm * direction
        inside = in_mask(there, lungs, whole)
        if inside.sum() >= _FEWEST:
            found.append(_correlation(contrast.at(points[inside]), contrast.at(there[inside])))
    return float(np.median(found)) if found else 0.0


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Not a number where one of them is the same everywhere."""
    if not np.ptp(one) or not np.ptp(other):
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])


def _same_places(pair: Pair, points: FloatArray, voxels: FloatArray) -> list[FloatArray]:
    """(N, 3) moving RAS mm of points of the fixed scan in one world, and by one index."""
    places = [points]
    if pair.fixed.grid.shape == pair.moving.grid.shape:
        by_index = pair.moving.grid.to_world(voxels)
        if np.abs(by_index - points).max() > _SAME_MM:
            places.append(by_index)
    return places


@dataclass(frozen=True, eq=False)
class _Contrast:
    """Local contrast of a scan around its lungs."""

    values: NDArray[np.float32]
    """(X, Y, Z)."""
    grid: Grid
    whole: Grid
    """Of the scan."""

    @classmethod
    def of(
        cls, hu: NDArray[np.float32], grid: Grid, lungs: NDArray[np.bool_], device: torch.device
    ) -> _Contrast:
        """Of a scan (X, Y, Z) in Hounsfield units, and the lungs in it."""
        box = mask_box(lungs, margin=_SURROUNDINGS_VOX)
        part = torch.from_numpy(np.clip(hu[box], *_LUNG_HU)).to(device)
        values = local_contrast(part[None, None])[0, 0].cpu().numpy()
        return cls(values, grid.cropped(box), grid)

    def at(self, points: FloatArray) -> NDArray[np.float32]:
        """(N,) at points (N, 3) of the lungs, RAS mm."""
        where = self.grid.to_voxel(points).T
        return np.asarray(map_coordinates(self.values, where, order=1, mode="nearest"))
