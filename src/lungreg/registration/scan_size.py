"""Whether a scan is as large as one of a chest; else its voxel size may be wrong, or never set."""

from __future__ import annotations

import numpy as np

from lungreg.spatial.geometry import Grid

_SMALLEST_CHEST_MM, _LARGEST_CHEST_MM = 100.0, 1000.0
_THINNEST_SLAB_MM = 50.0
"""Part of a chest may be scanned alone."""
_UNSET_MM, _EXACT_MM = 1.0, 1e-4
"""Along all axes: what programs write where nobody gave a voxel size."""


def is_chest_sized(grid: Grid) -> bool:
    """Whether a scan is as large as one of a chest, or of a part of it from head to foot."""
    shortest, middle, longest = sorted(_sides_mm(grid))
    is_wide = middle >= _SMALLEST_CHEST_MM and longest <= _LARGEST_CHEST_MM
    return is_wide and shortest >= _THINNEST_SLAB_MM


def extent_text(grid: Grid) -> str:
    """The sides of a scan in mm, such as "64 x 64 x 64"."""
    return " x ".join(f"{side:.4g}" for side in _sides_mm(grid))


def has_unset_size(grid: Grid) -> bool:
    """Whether nobody seems to have given the voxel size.

    That is 1 mm along all axes, in a scan that is not as large as a chest by it: one that was
    resampled to 1 mm is.
    """
    unset = np.allclose(grid.spacing_mm, _UNSET_MM, rtol=0, atol=_EXACT_MM)
    return bool(unset) and not is_chest_sized(grid)


def _sides_mm(grid: Grid) -> list[float]:
    """Along the axes of the scan."""
    return [float(side) for side in grid.spacing_mm * np.array(grid.shape)]
