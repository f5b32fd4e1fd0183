"""Whether the scans of a pair agree better where one is mirrored: sides exchanged by a header."""

from __future__ import annotations

import numpy as np
from nibabel.orientations import io_orientation

from lungreg.registration.alignment.scan import scans_of
from lungreg.registration.alignment.starts import by_grids, laid_over, square_turns
from lungreg.registration.alignment.trial import Bench
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import FloatArray, Grid

NOT_MIRRORED = "none"
MIRRORS = ("left-right", "front-back", "feet-head")
"""By the RAS axis across which the moving scan is mirrored."""
TRANSPOSED = "transposed"
"""Mirrored in any other way that changes the order or the sense of the axes."""
_SURELY_NOT = 0.88
"""Agreement that mirrored scans do not reach: at most 0.83 in the pairs of tests/varied."""


def coarse_score(pair: Pair, affine: FloatArray, hu_window: tuple[float, float]) -> float:
    """How well a pair agrees after a short coarse registration from an affine; at most 1.

    Args:
        pair: The case.
        affine: (4, 4) from fixed to moving RAS mm, the start; it may mirror.
        hu_window: Hounsfield units carried to 0 and 1.
    """
    bench = Bench(*scans_of(pair, hu_window))
    return bench.finish(bench.quick(affine).affine).score


def mirrored_agreement(pair: Pair, hu_window: tuple[float, float]) -> dict[str, float]:
    """How well a pair agrees as it is and with the moving scan mirrored across each axis.

    Each is the best score of short coarse registrations that lay lungs over lungs; those of the
    pair as it is start from the headers and the boxes too, unless these mirror, and from quarter
    and half turns, of which a mirror is not far. The outlines of
    both sides are nearly mirror images: what tells them apart is the heart, the vessels and the
    bones between them.

    Args:
        pair: The case.
        hu_window: Hounsfield units carried to 0 and 1.

    Returns:
        Scores, at most 1, of "none", "left-right", "front-back", "feet-head" and "transposed". The
        middle three are of mirrors across the axes of the fixed scan that are nearest to those of
        the world, the last is the best of the other 21 mirrors that carry these axes onto each
        other. None but the first is tried, and there, where the pair as it is agrees too well for
        any mirror.
    """
    fixed, moving = scans_of(pair, hu_window)
    bench = Bench(fixed, moving)
    by_headers = by_grids(fixed.grid, moving.grid).values()
    upright = [start for start in by_headers if np.linalg.det(start) > 0]
    as_it_is = [*laid_over(bench.fixed, bench.moving, [np.eye(3)]), *upright]
    result = {NOT_MIRRORED: bench.best(as_it_is).score}
    if result[NOT_MIRRORED] < _SURELY_NOT:
        turned = laid_over(bench.fixed, bench.moving, square_turns())
        result[NOT_MIRRORED] = max(result[NOT_MIRRORED], bench.best(turned).score)
    if result[NOT_MIRRORED] < _SURELY_NOT:
        mirrors = _mirrors(fixed.grid)
        for name, mirror in mirrors.items():
            result[name] = bench.best(laid_over(bench.fixed, bench.moving, [mirror])).score
        others = _other_mirrors(fixed.grid, list(mirrors.values()))
        result[TRANSPOSED] = bench.best(laid_over(bench.fixed, bench.moving, others)).score
    return result


def _other_mirrors(grid: Grid, known: list[FloatArray]) -> list[FloatArray]:
    """(3, 3) the mirrors that carry a grid's axes onto each other, without those that are known."""
    along = [grid.frame @ turn @ np.linalg.inv(grid.frame) for turn in square_turns()]
    mirrors = [-np.eye(3), *(-turn for turn in along)]
    return [it for it in mirrors if not any(np.allclose(it, one) for one in known)]


def _mirrors(grid: Grid) -> dict[str, FloatArray]:
    """(3, 3) the mirror across each axis of a grid, by the world's axis that it is nearest to."""
    nearest = io_orientation(grid.affine)[:, 0].astype(int).tolist()
    result: dict[str, FloatArray] = {}
    for world, name in enumerate(MIRRORS):
        axis = grid.frame[:, nearest.index(world)]
        result[name] = np.eye(3) - 2 * np.outer(axis, axis)
    return result
