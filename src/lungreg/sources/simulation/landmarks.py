"""Choose paired landmarks inside the lungs of both scans, far from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.errors import DataError
from lungreg.records import counted
from lungreg.sources.simulation.breathing import Breathing
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.mask_box import in_mask

_CANDIDATES = 6000
_DISTINCT_SHARE = 0.5


def draw_landmarks(
    rng: np.random.Generator,
    breathing: Breathing,
    fixed: tuple[NDArray[Any], Grid],
    moving: tuple[NDArray[Any], Grid],
    *,
    distinct_ras: FloatArray,
    count: int,
) -> NDArray[np.float64]:
    """Choose points that both scans show inside the lungs, far from each other.

    Args:
        rng: Source of the random choice.
        breathing: The true `T`.
        fixed: Mask and grid of the expiration.
        moving: Mask and grid of the inspiration.
        distinct_ras: (F, 3) points of the fixed scan that an observer would choose, such as forks
            of vessels; about half of the landmarks come from them.
        count: How many points.

    Returns:
        (count, 6): fixed xyz, then moving xyz, in voxels of each scan.

    Raises:
        DataError: The lungs that both scans show hold fewer points.
    """
    deep = ndimage.binary_erosion(fixed[0] > 0)
    voxels = np.argwhere(deep)
    chosen = voxels[rng.integers(len(voxels), size=_CANDIDATES)] if len(voxels) else voxels
    anywhere = fixed[1].to_world(chosen + rng.uniform(-0.5, 0.5, chosen.shape))
    groups = [
        _shown_in_both(points, breathing, fixed, moving) for points in (distinct_ras, anywhere)
    ]
    if len(groups[1]) < count:
        msg = f"both scans show enough lung for {count} landmarks"
        raise DataError(
            msg, got=counted(len(groups[1]), "place"), mend="use a larger field of view"
        )
    first = _spread(groups[0], min(len(groups[0]), int(count * _DISTINCT_SHARE)), groups[0][:0])
    points = np.concatenate([first, _spread(groups[1], count - len(first), first)])
    targets = breathing.to_moving(points)
    return np.concatenate([fixed[1].to_voxel(points), moving[1].to_voxel(targets)], axis=1)


def _shown_in_both(
    points_ras: FloatArray,
    breathing: Breathing,
    fixed: tuple[NDArray[Any], Grid],
    moving: tuple[NDArray[Any], Grid],
) -> FloatArray:
    kept = points_ras[in_mask(points_ras, *fixed)]
    return kept[in_mask(breathing.to_moving(kept), *moving)]


def _spread(candidates: FloatArray, count: int, taken: FloatArray) -> FloatArray:
    """Farthest-point sampling: each point is the candidate farthest from all before it."""
    nearest = np.full(len(candidates), np.inf)
    for point in taken:
        nearest = np.minimum(nearest, np.linalg.norm(candidates - point, axis=1))
    chosen: list[int] = []
    for _ in range(count):
        pick = int(nearest.argmax()) if np.isfinite(nearest).all() else 0
        chosen.append(pick)
        nearest = np.minimum(nearest, np.linalg.norm(candidates - candidates[pick], axis=1))
    return candidates[chosen]
