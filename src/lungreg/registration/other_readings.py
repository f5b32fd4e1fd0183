"""Whether a transform fits its scans far better when its file is read in another way.

What vectors mean is a convention of the tool that wrote them, and a file read by another one still
looks like a transform. The scans tell: tissue meets like tissue under the right reading alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lungreg.registration.intensity import AIR_HU, TISSUE_HU
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Frame, Transform, flip_lps
from lungreg.spatial.inversion import invert_points
from lungreg.spatial.mask_box import some_voxels

_MOST_POINTS = 30_000
_LEAST_GAIN = 0.1


class _Reading(NamedTuple):
    words: str
    moved_ras: FloatArray
    """(N, 3) where it carries the points."""


def better_reading(pair: Pair, transform: Transform, *, frame: Frame | None) -> str | None:
    """What a transform seems to be instead, in words; None where nothing fits far better.

    Args:
        pair: The case in memory.
        transform: `T`, as its file was read.
        frame: RAS or LPS, as the vectors of the file were read; None of a file without vectors.
    """
    points = _lung_points(pair)
    as_read = transform_points(transform, points)
    now = _agreement(pair, points, as_read)
    readings = list(_readings(transform, points, as_read, frame))
    scores = [_agreement(pair, points, reading.moved_ras) for reading in readings]
    best = int(np.argmax(scores))
    if scores[best] < now + _LEAST_GAIN:
        return None
    return (
        f"the scans agree far better where the transform is read {readings[best].words}: "
        f"correlation inside the lungs {scores[best]:.2f}, not {now:.2f}"
    )


def _readings(
    transform: Transform, points: FloatArray, as_read: FloatArray, frame: Frame | None
) -> Iterator[_Reading]:
    yield _Reading(
        "as the way back, from the moving scan to the fixed one (was its inverse meant?)",
        invert_points(transform, points)[0],
    )
    if frame is None:
        return
    moved = as_read - points
    other = Frame.RAS if frame is Frame.LPS else Frame.LPS
    yield _Reading(f"in the other frame (--field-frame {other.value})", points + flip_lps(moved))
    steps = transform.grid.affine[:3, :3]
    for vectors in (moved, flip_lps(moved)):
        yield _Reading(
            "in voxels of its grid (lungreg takes mm: multiply by the voxels' sizes and axes)",
            points + vectors @ steps.T,
        )


def _lung_points(pair: Pair) -> FloatArray:
    """(N, 3) centres of voxels in the fixed lungs, evenly chosen, RAS mm."""
    voxels = some_voxels(pair.fixed_lungs.or_everything, _MOST_POINTS)
    return pair.fixed.grid.to_world(voxels)


def _agreement(pair: Pair, points_ras: FloatArray, moved_ras: FloatArray) -> float:
    """Correlation of the densities at points and where they are carried; 0 without contrast."""
    fixed = _densities(pair.fixed_hu, pair.fixed.grid.to_voxel(points_ras))
    moving = _densities(pair.moving_hu, pair.moving.grid.to_voxel(moved_ras))
    if np.ptp(fixed) == 0 or np.ptp(moving) == 0:
        return 0.0
    return float(np.corrcoef(fixed, moving)[0, 1])


def _densities(hu: NDArray[np.float32], voxels: FloatArray) -> NDArray[np.float32]:
    """(N,) HU at voxels, air beyond the scan."""
    values = map_coordinates(hu, voxels.T, order=1, mode="constant", cval=AIR_HU)
    return np.asarray(np.clip(values, *TISSUE_HU))
