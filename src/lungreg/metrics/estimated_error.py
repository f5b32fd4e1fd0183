"""Sums of estimated landmark errors: over the lungs, and over each part of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.records import RegionError
from lungreg.spatial.geometry import FloatArray

KNOWN_FROM_SHARE = 0.12
"""Share of the places with a partner below which nothing is said of the error: a partner is looked
for near where `T` puts a place, so that in scans of two patients those few lie 1 to 5 mm away."""
_FEWEST = 8
_FEWEST_COUNTED = 20
_NEXT_TO_NONE, _FAR_FEWER = 0.1, 0.25
"""Share of the places with a partner, and that by the share in the whole lungs, below which a part
is not known. With another patient's tissue in one lung, or tissue 25 mm away: at most 0.08 and 0.18
in tests/varied. Good pairs have 0.13 or more, or few partners in all parts, as on coarse voxels."""


def found_share(
    found: NDArray[np.bool_], *, deep: NDArray[np.bool_], shown: NDArray[np.bool_]
) -> float:
    """Share of the deep places within the moving scan that found a partner, 0 to 1.

    At the surface the walls of any two patients match; vessels deep in the lungs do not. Of all
    shown places, or of all, where fewer are few.

    Args:
        found: (N,) which places found a partner.
        deep: (N,) which lie at least 10 mm below the surface of the lungs.
        shown: (N,) which the transform carries into the moving scan.
    """
    for counted in (deep & shown, shown):
        if np.count_nonzero(counted) >= _FEWEST_COUNTED:
            return float(found[counted].mean())
    return float(found.mean()) if found.size else 0.0


def error_by_region(
    errors_mm: FloatArray,
    regions: NDArray[np.str_],
    *,
    deep: NDArray[np.bool_],
    shown: NDArray[np.bool_],
) -> tuple[RegionError, ...]:
    """Estimated errors by part of the lungs, the worst 95th percentile first.

    Args:
        errors_mm: (N,) mm; not a number where a place found no partner.
        regions: (N,) the name of the part that each place lies in.
        deep: (N,) as for `found_share`, which counts in each part as in the whole lungs.
        shown: (N,) as for `found_share`.

    Returns:
        One record for each part with at least 8 partners.
    """
    found = []
    for region in np.unique(regions):
        inside = regions == region
        partners = np.isfinite(errors_mm[inside])
        known = errors_mm[inside][partners]
        if known.size >= _FEWEST:
            share = found_share(partners, deep=deep[inside], shown=shown[inside])
            found.append(_region(str(region), partners.size, share, known))
    return tuple(sorted(found, key=lambda region: -region.p95_mm))


def unmatched_regions(
    found: NDArray[np.bool_],
    regions: NDArray[np.str_],
    *,
    deep: NDArray[np.bool_],
    shown: NDArray[np.bool_],
) -> tuple[str, ...]:
    """The parts of the lungs where next to no place finds a partner: nothing is known of the error.

    The errors of the other parts say nothing of these, and where few partners are, their errors say
    little: tissue that is further away than the search reaches has none.

    Args:
        found: (N,) which places found a partner.
        regions: (N,) the name of the part that each place lies in.
        deep: (N,) as for `found_share`.
        shown: (N,) as for `found_share`. A part that the moving scan shows less than half of is not
            judged: at the face of a scan that is cut off few places find a partner.
    """
    unmatched = []
    whole = found_share(found, deep=deep, shown=shown)
    for region in np.unique(regions):
        inside = regions == region
        few = np.count_nonzero(inside & shown) < max(_FEWEST_COUNTED, inside.sum() / 2)
        share = found_share(found[inside], deep=deep[inside], shown=shown[inside])
        if not few and share < min(_NEXT_TO_NONE, _FAR_FEWER * whole):
            unmatched.append(str(region))
    return tuple(unmatched)


def _region(name: str, places: int, share: float, known_mm: FloatArray) -> RegionError:
    return RegionError(
        region=name,
        places=places,
        partners=known_mm.size,
        found_pct=100.0 * share,
        mean_mm=float(known_mm.mean()),
        median_mm=float(np.median(known_mm)),
        p95_mm=float(np.percentile(known_mm, 95)),
        beyond_3mm_pct=float(100 * (known_mm > 3).mean()),
        beyond_5mm_pct=float(100 * (known_mm > 5).mean()),
    )
