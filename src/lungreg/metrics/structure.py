"""The formula of the structural similarity over a mask, compiled where numba is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

C1, C2 = 0.01**2, 0.03**2

_Floats = NDArray[np.float32]


def mean_structure(
    means: tuple[_Floats, _Floats], product: _Floats, squares: _Floats, mask: NDArray[np.bool_]
) -> float:
    """Mean over a mask of the structural similarity (Wang et al. 2004), K1 0.01, K2 0.03, range 1.

    Args:
        means: (X, Y, Z) local means of both images.
        product: (X, Y, Z) local mean of their product.
        squares: (X, Y, Z) local mean of the sum of their squares.
        mask: (X, Y, Z) bool.
    """
    from lungreg.spatial.threads import has_numba

    volumes = [*means, product, squares]
    if has_numba() and all(it.flags.c_contiguous for it in volumes):
        from lungreg.metrics.structure_kernel import structure_sum

        one, other, both, squared = (it.reshape(-1) for it in volumes)
        inside = np.ascontiguousarray(mask).reshape(-1)
        total = structure_sum(one, other, both, squared, inside, C1, C2)
        return float(total / np.count_nonzero(mask))
    x, y, xy, both = (it[mask] for it in volumes)
    cross, mean_squares = x * y, x * x + y * y
    structure = (2 * (xy - cross) + C2) / (both - mean_squares + C2)
    luminance = (2 * cross + C1) / (mean_squares + C1)
    return float(np.mean(luminance * structure, dtype=np.float64))
