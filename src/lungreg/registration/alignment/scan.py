"""One scan of a pair, as far as its alignment is concerned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.registration.intensity import window
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """An image with its grid and lungs."""

    image: NDArray[np.float32]
    """(X, Y, Z) after the intensity window, 0 to 1."""
    grid: Grid
    lungs: NDArray[np.bool_] | None
    """(X, Y, Z) with at least one voxel, or None where no lungs are known."""
    shown: NDArray[np.bool_] | None = None
    """(X, Y, Z) where the scan is no padding; None where it has none, or it is not known."""

    @property
    def bare(self) -> Scan:
        """The scan without its lungs."""
        return replace(self, lungs=None)


def make_scan(image: NDArray[np.float32], grid: Grid, mask: NDArray[Any] | None) -> Scan:
    """A scan whose arrays are on its grid; any positive value of the mask is lung.

    Raises:
        DataError: An array is not on the grid.
    """
    for array in (image, mask):
        if array is not None and array.shape != grid.shape:
            msg = f"an image or mask on this grid has shape {grid.shape}"
            raise DataError(msg, got=array.shape)
    lungs = None if mask is None else mask > 0
    return Scan(image=image, grid=grid, lungs=lungs if lungs is not None and lungs.any() else None)


def scans_of(
    pair: Pair, hu_window: tuple[float, float], *, lungs: bool = True
) -> tuple[Scan, Scan]:
    """The fixed and the moving scan of a pair, with their lungs if asked for.

    Where a mask is missing, the lungs are segmented by threshold.
    """
    fixed = make_scan(
        window(pair.fixed_hu, hu_window),
        pair.fixed.grid,
        pair.fixed_lungs.inside if lungs else None,
    )
    moving = make_scan(
        window(pair.moving_hu, hu_window),
        pair.moving.grid,
        pair.moving_lungs.inside if lungs else None,
    )
    return replace(fixed, shown=pair.fixed_shown), replace(moving, shown=pair.moving_shown)
