"""What every measure asks of its arrays, and the box that it needs to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from lungreg.errors import DataError

BoolArray = NDArray[np.bool_]
Box = tuple[slice, ...]


def require_same_shape(*arrays: NDArray[Any]) -> None:
    """Refuse arrays that are not volumes of one shape.

    Raises:
        DataError: Shapes differ or are not (X, Y, Z).
    """
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1 or len(shapes[0]) != 3:
        msg = "images and masks that are compared have one shape (X, Y, Z)"
        raise DataError(msg, got=" and ".join(map(str, shapes)))


def require_voxels(mask: BoolArray) -> None:
    """Refuse an empty mask.

    Raises:
        DataError: It is.
    """
    if not mask.any():
        msg = "the mask that a measure is taken in has at least one voxel"
        raise DataError(msg, got="an empty mask")


def bounding_box(mask: BoolArray, *, margin: int) -> Box:
    """The box around a mask's voxels, `margin` voxels wider where the volume allows it."""
    (tight,) = find_objects(mask.view(np.uint8))
    return tuple(slice(max(0, part.start - margin), part.stop + margin) for part in tight)
