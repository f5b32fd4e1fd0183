"""Texture of two images over a mask, on a CPU: what is left without their local mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

_Floats = NDArray[np.float32]


def texture_energies(
    one: _Floats, other: _Floats, mask: NDArray[np.bool_], sides_vox: Sequence[int]
) -> tuple[float, float]:
    """Energy of the difference of two images' textures, and of both textures.

    Args:
        one: (X, Y, Z).
        other: (X, Y, Z).
        mask: (X, Y, Z) bool, where means and energies are counted.
        sides_vox: (3,) of the box whose mean an image loses.
    """
    from lungreg.spatial.threads import has_numba, in_shares

    if not has_numba():
        return _by_volumes(one, other, mask, sides_vox)
    from lungreg.metrics.texture_kernel import texture_share

    x, y, z = sides_vox
    images = np.ascontiguousarray(one), np.ascontiguousarray(other)
    inside = np.ascontiguousarray(mask)
    given = images, inside, np.asarray(inside.any(axis=2)), (x, y, z)
    found = list(in_shares(lambda a, b: texture_share((a, b), *given), 0, len(mask)))
    return sum(apart for apart, _ in found), sum(both for _, both in found)


def _by_volumes(
    one: _Floats, other: _Floats, mask: NDArray[np.bool_], sides_vox: Sequence[int]
) -> tuple[float, float]:
    weight = uniform_filter(mask.astype(np.float32), sides_vox, mode="constant")[mask]
    textures = []
    for image in (one, other):
        mean = uniform_filter(np.where(mask, image, 0), sides_vox, mode="constant")[mask]
        textures.append((image[mask] - mean / weight).astype(np.float64))
    x, y = textures
    return float((x - y) @ (x - y)), float(x @ x + y @ y)
