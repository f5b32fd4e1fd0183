"""Sums of estimated landmark errors: over the lungs, and over each part of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.records import RegionError
from lungreg.spatial.geometry import FloatArray

_FEWEST = 15


def error_by_region(errors_mm: FloatArray, regions: NDArray[np.str_]) -> tuple[RegionError, ...]:
    """Estimated errors by part of the lungs, the worst 95th percentile first.

    Args:
        errors_mm: (N,) mm; not a number where a place found no partner.
        regions: (N,) the name of the part that each place lies in.

    Returns:
        One record for each part with at least 15 partners: a percentile of fewer says little.
    """
    found = []
    for region in np.unique(regions):
        inside = errors_mm[regions == region]
        known = inside[np.isfinite(inside)]
        if known.size >= _FEWEST:
            found.append(_region(str(region), inside.size, known))
    return tuple(sorted(found, key=lambda region: -region.p95_mm))


def _region(name: str, places: int, known_mm: FloatArray) -> RegionError:
    return RegionError(
        region=name,
        places=places,
        found_pct=100.0 * known_mm.size / places,
        mean_mm=float(known_mm.mean()),
        median_mm=float(np.median(known_mm)),
        p95_mm=float(np.percentile(known_mm, 95)),
        beyond_3mm_pct=float(100 * (known_mm > 3).mean()),
        beyond_5mm_pct=float(100 * (known_mm > 5).mean()),
    )
