"""Slices that were written twice or not at all: the scan looks whole, and tissue is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume
from lungreg.sources.pair_checks import PairWarning

_EVERY = 5
"""Of so many rows and columns one is compared first, which tells nearly all slices apart."""


def check_slices(role: str, scan: Volume) -> tuple[PairWarning, ...]:
    """Warn of slices across the body that equal their neighbour or hold one value.

    Noise makes any two slices of a CT differ. Slices of one value at the ends are padding.

    Args:
        role: "fixed" or "moving".
        scan: Its values as stored.
    """
    slices = np.moveaxis(scan.data, scan.grid.axis_along(2), 0)
    empty = _of_one_value(slices)
    shown = np.flatnonzero(~empty)
    if not shown.size:
        return ()
    blank = int(empty[shown[0] : shown[-1]].sum())
    repeated = int((_as_the_one_before(slices) & ~empty).sum())
    found = []
    if blank:
        text = (
            f"within the {role} scan {blank} of {len(slices)} slices hold one value: are some "
            "missing?"
        )
        found.append(PairWarning(code="empty_slices", text=text))
    if repeated:
        text = (
            f"in the {role} scan {repeated} of {len(slices)} slices repeat the one before: were "
            "slices written twice, or in the place of others?"
        )
        found.append(PairWarning(code="repeated_slices", text=text))
    return tuple(found)


def _of_one_value(slices: NDArray[Any]) -> NDArray[np.bool_]:
    """(N,) which slices (N, U, V) hold one value."""
    first = slices[:, :1, :1]
    found = np.asarray((slices[:, ::_EVERY, ::_EVERY] == first).all(axis=(1, 2)))
    for k in np.flatnonzero(found):
        found[k] = bool((slices[k] == first[k]).all())
    return found


def _as_the_one_before(slices: NDArray[Any]) -> NDArray[np.bool_]:
    """(N,) which slices (N, U, V) equal their predecessor."""
    few = slices[:, ::_EVERY, ::_EVERY]
    found = np.zeros(len(slices), dtype=bool)
    found[1:] = (few[1:] == few[:-1]).all(axis=(1, 2))
    for k in np.flatnonzero(found):
        found[k] = np.array_equal(slices[k], slices[k - 1])
    return found
