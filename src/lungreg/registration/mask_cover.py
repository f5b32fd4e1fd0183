"""How much of the lungs that a scan shows its mask holds, in the part where it holds least.

A registration is measured inside the masks: of lungs that they leave out nothing is known. Masks
that are mirrored, shifted or of another scan overlap as a whole, but leave out a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.lung_segmentation import LEFT_LUNG, RIGHT_LUNG, search_lungs
from lungreg.registration.lungs import ScanLungs
from lungreg.registration.pair import Pair
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import Grid, Shape

_LOOK_MM = 4.0
"""Size of the blocks of a first look, a fifth of the work. Air that leaks into lungs on them only
makes the share smaller."""
_BLOCK_MM = 2.5
"""As the search works on; coarser ones leak: air beside a turned patient was taken for lung."""
_ENOUGH = 0.85
"""Share at a first look that needs no second one: well above the limit of a warning."""
_HALF = 0.5
_THIRDS = (0.0, 1 / 3, 2 / 3, 1.0)
_SMALLEST_ML = 20.0
"""Of a part, so that single blocks do not decide."""

_Places = tuple[NDArray[np.intp], ...]
"""Indices along the axes."""


def mask_cover(pair: Pair) -> float | None:
    """Share of the lungs shown that lies in the mask, 0 to 1, where that is least.

    Each lung is parted by height into thirds of one size; the lowest share of all parts of both
    scans counts. In right masks of tests/varied it is 0.90 to 0.99 (0.69 to 0.84 where a circle of
    padding cuts the lungs, and air of a pneumothorax is not in a mask), in masks that are mirrored
    0.50 to 0.74, shifted sideways by 12 mm 0.65 to 0.81, without a fifth of one lung at most 0.57.

    The lungs shown are segmented by threshold, on blocks of 4 mm and, where these give less than
    0.85, on blocks of 2.5 mm. A mask may hold more than these: dense tissue is lung too.

    Args:
        pair: The case in memory.

    Returns:
        None without masks, or where no lungs are found by threshold.
    """
    scans = (
        (pair.fixed_hu, pair.fixed.grid, pair.fixed_lungs),
        (pair.moving_hu, pair.moving.grid, pair.moving_lungs),
    )
    found = [_covered(*scan) for scan in scans]
    return min((share for share in found if share is not None), default=None)


def _covered(hu: NDArray[np.float32], grid: Grid, lungs: ScanLungs) -> float | None:
    if lungs.known_from != "mask" or lungs.inside is None:
        return None
    found = _covered_on(block_sizes(grid, _LOOK_MM), hu, grid, lungs.inside)
    if found is not None and found >= _ENOUGH:
        return found
    return _covered_on(block_sizes(grid, _BLOCK_MM), hu, grid, lungs.inside)


def _covered_on(
    sizes: Shape, hu: NDArray[np.float32], grid: Grid, inside: NDArray[np.bool_]
) -> float | None:
    """The share by blocks of so many voxels along each axis."""
    coarse, blocks = block_mean(hu, grid, sizes)
    labels = search_lungs(coarse, blocks).labels
    if not labels.any():
        return None
    masked: NDArray[Any] = block_mean(inside, grid, sizes)[0] >= _HALF
    return min(float(masked[part].mean()) for part in _parts(labels, blocks))


def _parts(labels: NDArray[np.uint8], blocks: Grid) -> Iterator[_Places]:
    """The thirds of each lung by height; all lungs in one where these are small."""
    fewest = _SMALLEST_ML * 1000 / blocks.voxel_volume_mm3 * (len(_THIRDS) - 1)
    sides = [np.argwhere(labels == side) for side in (RIGHT_LUNG, LEFT_LUNG)]
    large = [places for places in sides if len(places) >= fewest]
    if not large:
        yield np.nonzero(labels)
    for places in large:
        heights = blocks.to_world(places.astype(np.float64))[:, 2]
        for low, high in pairwise(np.quantile(heights, _THIRDS)):
            yield tuple(places[(heights >= low) & (heights <= high)].T)
