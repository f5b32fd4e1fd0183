"""Volumes in the order of files, first axis densest, and in that of arrays, last axis densest.

NumPy copies from one to the other voxel by voxel through all of the memory. Some rows of the second
axis at a time, which the processor's cache holds, take a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_SLAB_VALUES = 2**18
"""A megabyte of float32."""


def slabs_of_rows(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Parts of a volume (X, Y, ...), some rows of the second axis each, which a cache holds."""
    rows = max(1, _SLAB_VALUES * shape[1] // max(1, int(np.prod(shape))))
    for start in range(0, shape[1], rows):
        yield slice(None), slice(start, start + rows)


def copy_into(result: NDArray[Any], values: NDArray[Any]) -> None:
    """Copy a volume (X, Y, ...) into one of another order in memory, or another type."""
    for part in slabs_of_rows(values.shape):
        result[part] = values[part]


def c_ordered(values: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """A copy of a volume (X, Y, ...) whose last axis is densest in memory, of a type."""
    result = np.empty(values.shape, dtype or values.dtype)
    copy_into(result, values)
    return result


def fortran_ordered(values: NDArray[Any]) -> NDArray[Any]:
    """A volume (X, Y, ...) whose first axis is densest in memory; itself where it is so already."""
    if values.flags.f_contiguous:
        return values
    result = np.empty(values.shape, values.dtype, order="F")
    copy_into(result, values)
    return result
