"""The initial alignment of a case in memory."""

from __future__ import annotations

from lungreg.alignment.choice import InitialAlignment, initial_alignment
from lungreg.config import Alignment
from lungreg.pair_lungs import fixed_lungs, moving_lungs
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
    by_lungs = mode in ("auto", "masks")
    return initial_alignment(
        window(pair.fixed_hu, hu_window),
        pair.fixed.grid,
        window(pair.moving_hu, hu_window),
        pair.moving.grid,
        fixed_mask=fixed_lungs(pair).inside if by_lungs else None,
        moving_mask=moving_lungs(pair).inside if by_lungs else None,
        mode=mode,
    )
