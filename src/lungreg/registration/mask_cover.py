"""How much of the lungs that a scan shows its mask holds.

A registration is measured inside the masks: of lungs that they leave out nothing is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.lung_segmentation import search_lungs
from lungreg.registration.lungs import ScanLungs
from lungreg.registration.pair import Pair
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import Grid, Shape

_LOOK_MM = 4.0
"""Size of the blocks of a first look, a fifth of the work. Air that leaks into lungs on them only
makes the share smaller."""
_BLOCK_MM = 2.5
"""As the search works on; coarser ones leak: air beside a turned patient was taken for lung."""
_ENOUGH = 0.9
"""Share at a first look that needs no second one: well above the limit of a warning."""
_HALF = 0.5


def mask_cover(pair: Pair) -> float | None:
    """Share of the lungs shown that lies in the mask, 0 to 1; the lower of both scans.

    The lungs shown are segmented by threshold, on blocks of 4 mm and, where these give less than
    0.9, on blocks of 2.5 mm. A mask may hold more than these: dense tissue is lung too.

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
    shown = search_lungs(coarse, blocks).labels > 0
    masked: NDArray[Any] = block_mean(inside, grid, sizes)[0] >= _HALF
    return float(masked[shown].mean()) if shown.any() else None
