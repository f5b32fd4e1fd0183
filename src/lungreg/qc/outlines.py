"""Contours of slices as SVG paths."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray

UNITS_PER_MM = 10
"""Paths count in tenths of a millimetre, so that whole numbers do."""

Field = NDArray[np.floating]
Mask = NDArray[np.floating] | NDArray[np.bool_]


def mask_outline(mask: Mask, pixel_mm: tuple[float, float]) -> str:
    """Border of a mask (H, W), halfway between voxels in and out.

    It stays open where the mask meets the edge of the picture: there the scan ends, not the lung.

    Args:
        mask: (H, W), positive inside.
        pixel_mm: Height and width of a pixel.

    Returns:
        The `d` of an SVG path in units of 1 / `UNITS_PER_MM` mm from the picture's top left
        corner; empty where there is no border.
    """
    rows_mm, columns_mm = (
        (np.arange(count) + 0.5) * size for count, size in zip(mask.shape, pixel_mm, strict=True)
    )
    return level_lines((mask > 0).astype(np.float64), (0.5,), rows_mm, columns_mm)


def level_lines(field: Field, levels: Iterable[float], rows_mm: Field, columns_mm: Field) -> str:
    """Lines of constant value of a field (H, W), as `mask_outline` gives them.

    Args:
        field: (H, W) sampled at the crossings of `rows_mm` (H,) and `columns_mm` (W,).
        levels: The values.
        rows_mm: Distance of each row of samples from the picture's top.
        columns_mm: Distance of each column of samples from its left edge.
    """
    if min(field.shape) < 2:
        return ""
    lines = contour_generator(columns_mm, rows_mm, field)
    return "".join(_path(np.asarray(one)) for level in levels for one in lines.lines(level))


def _path(points_mm: Field) -> str:
    """One polyline (N, 2) in relative steps; steps of nothing and repeated directions merged."""
    points = np.rint(points_mm * UNITS_PER_MM).astype(np.int64)
    points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
    step = np.diff(points, axis=0)
    cross = step[1:, 0] * step[:-1, 1] - step[1:, 1] * step[:-1, 0]
    turns = (cross != 0) | ((step[1:] * step[:-1]).sum(axis=1) < 0)
    points = points[np.r_[True, turns, True][: len(points)]]
    if len(points) < 2:
        return ""
    steps = "".join(f"l{x} {y}" for x, y in np.diff(points, axis=0).tolist())
    closed = "z" if len(points) > 3 and (points[0] == points[-1]).all() else ""
    return f"M{points[0, 0]} {points[0, 1]}{steps.replace(' -', '-')}{closed}"
