"""What a line of titles says of the columns of points below it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lungreg.errors import DataError

_AXIS = re.compile(r"(?<![a-z])[a-z]?([xyzijk])(?![a-z])")
"""As in "x", "fx", "moving_x", "x1" and "i"."""
_AS_XYZ = str.maketrans("ijk", "xyz")
_FIXED = re.compile(r"fix|(?<![a-z])(?:e(?:xp|xhal)|t50|target|reference)")
_MOVING = re.compile(r"mov|(?<![a-z])(?:in(?:sp|hal)|t0?0(?!\d)|source|floating)")
_WORLD = re.compile(r"(?<![a-z])(?:mm(?![a-z])|millimet|lps|ras(?![a-z])|world|phys)")


def require_xyz(titles: Sequence[str], columns: str) -> None:
    """Refuse titles that do not name x, y, z in this order: points would be swapped unseen.

    Args:
        titles: Of three columns, or of six: of the fixed scan, then of the moving one.
        columns: How the columns are to be, for the message.

    Raises:
        DataError: Another order, moving before fixed, or titles that name no axes.
    """
    named = [title.lower() for title in titles]
    axes = [_axis(title) for title in named]
    half = len(named) // 2
    swapped = any(map(_MOVING.search, named[:half])) and any(map(_FIXED.search, named[half:]))
    if not swapped and axes == list("xyz" * (len(axes) // 3)):
        return
    if swapped or all(axes):
        got, mend = "titles of another order", "put the columns in this order"
    else:
        got, mend = "titles that do not name x, y and z", "name them so, or leave the titles out"
    msg = f"the columns of {columns}"
    raise DataError(msg, got=got, mend=mend)


def name_a_world(titles: Sequence[str]) -> bool:
    """Whether titles say that points are in mm of some world, and not in voxels."""
    return any(_WORLD.search(title.lower()) for title in titles)


def _axis(title: str) -> str:
    """The one axis that a title names, else nothing; voxels are also counted by i, j and k."""
    found = _AXIS.findall(title)
    return str(found[0]).translate(_AS_XYZ) if len(found) == 1 else ""
