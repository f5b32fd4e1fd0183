"""Mean structural similarity over a mask, on a CPU: in one compiled pass where it can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.filters import continued, smoothed

C1, C2 = 0.01**2, 0.03**2

_Floats = NDArray[np.float32]


def mean_structure(
    x: _Floats, y: _Floats, mask: NDArray[np.bool_], kernel: NDArray[np.float64]
) -> float:
    """Mean over a mask of the structural similarity (Wang et al. 2004), K1 0.01, K2 0.03, range 1.

    Beyond the ends of the volume the images are mirrored.

    Args:
        x: (X, Y, Z) in [0, 1].
        y: The other image.
        mask: (X, Y, Z) bool.
        kernel: (R + 1,) of the local means along each axis, from the middle outwards.
    """
    from lungreg.spatial.threads import has_numba, in_shares

    if not has_numba():
        return _by_volumes(x, y, mask, kernel)
    from lungreg.metrics.structure_kernel import structure_share

    images = np.ascontiguousarray(x), np.ascontiguousarray(y)
    inside, weights = np.ascontiguousarray(mask), kernel.astype(np.float32)
    i, j, k = (continued(size, len(kernel) - 1, "mirror") for size in mask.shape)
    given = images, inside, np.asarray(inside.any(axis=2)), weights, (i, j, k), (C1, C2)
    sums = in_shares(lambda a, b: structure_share((a, b), *given), 0, len(mask))
    return float(sum(sums) / np.count_nonzero(mask))


def _by_volumes(
    x: _Floats, y: _Floats, mask: NDArray[np.bool_], kernel: NDArray[np.float64]
) -> float:
    """Only the sum of both variances enters the formula: four filtered images suffice, not five."""
    volumes = x, y, x * y, x * x + y * y
    a, b, product, squares = (smoothed(it, [kernel] * 3, beyond="mirror")[mask] for it in volumes)
    cross, mean_squares = a * b, a * a + b * b
    structure = (2 * (product - cross) + C2) / (squares - mean_squares + C2)
    luminance = (2 * cross + C1) / (mean_squares + C1)
    return float(np.mean(luminance * structure, dtype=np.float64))
