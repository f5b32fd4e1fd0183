"""The sum of the structural similarity over a mask, as numba compiles it: no copy of a volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled

_Floats = NDArray[np.float32]


@compiled
def structure_sum(
    x: _Floats,
    y: _Floats,
    product: _Floats,
    squares: _Floats,
    mask: NDArray[np.bool_],
    c1: float,
    c2: float,
) -> float:
    """All (N,): see `structure.mean_structure`. The constants are those of Wang et al. (2004)."""
    total, one, two = 0.0, np.float32(c1), np.float32(c2)
    for i in range(len(x)):
        if mask[i]:
            cross = np.float32(2) * x[i] * y[i]
            mean_squares = x[i] * x[i] + y[i] * y[i]
            structure = (np.float32(2) * product[i] - cross + two) / (
                squares[i] - mean_squares + two
            )
            total += np.float64(structure * (cross + one) / (mean_squares + one))
    return total
