"""A step of Adam as numba compiles it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled

_Floats = NDArray[np.float32]


@compiled
def adam_share(
    first: int,
    last: int,
    parameter: _Floats,
    gradient: _Floats,
    mean: _Floats,
    square: _Floats,
    factors: tuple[float, float, float, float, float],
) -> None:
    """Move a part of the numbers.

    Args:
        first: First of them.
        last: After the last of them.
        parameter: (N,) is moved.
        gradient: (N,).
        mean: (N,) running mean of the gradient, brought up to date.
        square: (N,) running mean of its square, brought up to date.
        factors: The shares that both means keep, what the root of the squares is divided by, the
            step, and what is added to the divisor.
    """
    keep, keep_square = np.float32(factors[0]), np.float32(factors[1])
    new, new_square = np.float32(1 - factors[0]), np.float32(1 - factors[1])
    scale, step, tiny = np.float32(factors[2]), np.float32(factors[3]), np.float32(factors[4])
    for k in range(first, last):
        slope = gradient[k]
        mean[k] = keep * mean[k] + new * slope
        square[k] = keep_square * square[k] + new_square * slope * slope
        parameter[k] += step * mean[k] / (np.sqrt(square[k]) / scale + tiny)
