"""The initial alignment of a case in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.alignment.choice import InitialAlignment, initial_alignment
from lungreg.config import Alignment
from lungreg.geometry import Grid
from lungreg.lungs import segment_lungs
from lungreg.pairs import Pair, window


def align(pair: Pair, hu_window: tuple[float, float], mode: Alignment) -> InitialAlignment:
    """The initial alignment `A` of a pair.

    Where a mask is missing, the lungs are segmented by threshold: without lungs, boxes of the
    scans are all there is to align by.

    Args:
        pair: The case.
        hu_window: Hounsfield units carried to 0 and 1.
        mode: The choice of `A`.
    """
    return initial_alignment(
        window(pair.fixed_hu, hu_window),
        pair.fixed.grid,
        window(pair.moving_hu, hu_window),
        pair.moving.grid,
        fixed_mask=_lungs(pair.fixed_mask, pair.fixed_hu, pair.fixed.grid, mode),
        moving_mask=_lungs(pair.moving_mask, pair.moving_hu, pair.moving.grid, mode),
        mode=mode,
    )


def _lungs(
    mask: NDArray[Any] | None, hu: NDArray[np.float32], grid: Grid, mode: Alignment
) -> NDArray[np.bool_] | None:
    if mode not in ("auto", "masks"):
        return None
    labels = segment_lungs(hu, grid) if mask is None else mask
    return np.asarray(labels > 0) if (labels > 0).any() else None
