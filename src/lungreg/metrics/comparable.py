"""What every measure requires of its arrays: one shape, and a mask that is not empty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError

BoolArray = NDArray[np.bool_]


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
        DataError: No voxel of the mask is inside.
    """
    if not mask.any():
        msg = "the mask that a measure is taken in has at least one voxel"
        raise DataError(msg, got="an empty mask")
