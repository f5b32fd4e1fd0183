"""Whether a scan is as large as one of a chest; else its voxel size may be wrong, or never set."""

from __future__ import annotations

import numpy as np

from lungreg.spatial.geometry import Grid

_SMALLEST_CHEST_MM, _LARGEST_CHEST_MM = 100.0, 1000.0
_THINNEST_SLAB_MM = 50.0
"""Part of a chest may be scanned alone."""
_UNSET_MM, _EXACT_MM = 1.0, 1e-4
"""Along all axes: what programs write where nobody gave a voxel size."""
_UNSET = (
    "the voxels are 1 x 1 x 1 mm, as where a header gives no voxel size, and a scan of that size "
    "is no chest: no figure in mm holds until the voxel size is set in the header (pixdim in NIfTI)"
)


def is_chest_sized(grid: Grid) -> bool:
    """Whether a scan is as large as one of a chest, or of a part of it from head to foot."""
    shortest, middle, longest = sorted(_sides_mm(grid))
    is_wide = middle >= _SMALLEST_CHEST_MM and longest <= _LARGEST_CHEST_MM
    return is_wide and shortest >= _THINNEST_SLAB_MM


def extent_text(grid: Grid) -> str:
    """The sides of a scan in mm, such as "64 x 64 x 64"."""
    return " x ".join(f"{side:.4g}" for side in _sides_mm(grid))


def unset_voxel_size(grid: Grid) -> str | None:
    """What speaks for a voxel size that nobody gave, in words; None where nothing does.

    That is 1 mm along all axes, and a scan that is not as large as a chest by it: one that was
    resampled to 1 mm is.
    """
    if not np.allclose(grid.spacing_mm, _UNSET_MM, rtol=0, atol=_EXACT_MM) or is_chest_sized(grid):
        return None
    return _UNSET


def _sides_mm(grid: Grid) -> list[float]:
    """Along the axes of the scan."""
    return [float(side) for side in grid.spacing_mm * np.array(grid.shape)]
