"""The deformed grid of a slice, as the `d` of an SVG path."""

from __future__ import annotations

import numpy as np

from lungreg.qc.outlines import level_lines
from lungreg.qc.planes import View
from lungreg.spatial.geometry import FloatArray

GRID_MM = 10.0
"""Distance of the lines of the grid before it is deformed."""

_STEP_MM = 3.5


def grid_lines(view: View, shift: FloatArray) -> str:
    """Lines of constant `x + u(x)` along both axes of the slice.

    Args:
        view: The slice.
        shift: (3, H, W) displacement in mm along the canonical voxel axes.
    """
    steps = [max(round(_STEP_MM / spacing), 1) for spacing in view.pixel_mm]
    coarse = shift[:, :: steps[0], :: steps[1]]
    along = [
        (np.arange(count) * step + 0.5) * spacing
        for count, step, spacing in zip(coarse.shape[1:], steps, view.pixel_mm, strict=True)
    ]
    paths = []
    for axis, mm in zip(view.in_plane, np.meshgrid(*along, indexing="ij"), strict=True):
        # Rows and columns run against their axes (row 0 is superior), so the coordinate falls.
        coordinate = coarse[axis] - mm
        first, last = np.ceil(coordinate.min() / GRID_MM), np.floor(coordinate.max() / GRID_MM)
        levels = np.arange(first, last + 1) * GRID_MM
        paths.append(level_lines(coordinate, levels.tolist(), along[0], along[1]))
    return "".join(paths)
