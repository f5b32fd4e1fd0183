"""The affine that maps the box around the lungs of one scan to that of the other.

A box has two ends along each axis of the fixed grid. Where the lungs run into the border of their
scan, the end says where the scan stops, not where the lungs do: expiration is often cut off at the
bases, and to stretch it onto a whole inspiration would mislead by centimetres. So an axis with two
good ends is scaled and shifted, with one only shifted, and with none left as the headers have it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from lungreg.registration.alignment.scan import Scan
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import FloatArray
from lungreg.spatial.neighbours import dilated

_SPACING_MM = 3.0
_TAIL_ML = 40.0
_FLAT_MM = 1.0
"""Lungs no longer than that, as in a mask of one slice, say nothing of a scale."""
_TAIL_SHARE = 0.05
_BORDER_MM = 5.0
_PADDED_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxFit:
    """The affine from the box of the fixed lungs to that of the moving lungs, and its scales."""

    affine: FloatArray
    """(4, 4) from fixed RAS mm to moving RAS mm."""
    scale: FloatArray
    """(3,) along each axis of the fixed grid; above 1 where the moving lungs are longer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lungs:
    """The lungs of one scan as points along three directions of the world."""

    points_mm: FloatArray
    """(N, 3)"""
    point_ml: float
    """Volume per point, ml."""
    usable: NDArray[np.bool_]
    """(3, 2) whether the lower and upper ends are the lungs' own, and not the scan's."""


def fit_boxes(fixed: Scan, moving: Scan) -> BoxFit | None:
    """The map from the box of the fixed lungs to that of the moving lungs; None without lungs."""
    frame = fixed.grid.frame
    fixed_lungs, moving_lungs = _lungs(fixed, frame), _lungs(moving, frame)
    if fixed_lungs is None or moving_lungs is None:
        return None
    scale, shift_mm = _carry(fixed_lungs, moving_lungs)
    affine = np.eye(4)
    affine[:3, :3] = frame @ np.diag(scale) @ frame.T
    affine[:3, 3] = frame @ shift_mm
    return BoxFit(affine=affine, scale=scale)


def _carry(fixed: _Lungs, moving: _Lungs) -> tuple[FloatArray, FloatArray]:
    """Scale (3,) and shift in mm (3,) of each axis from the fixed box to the moving one."""
    usable = fixed.usable & moving.usable
    scale, shift_mm = np.ones(3), np.zeros(3)
    cut = np.flatnonzero(~usable.all(axis=1))
    ends = _ends_mm(fixed, fixed.points_mm), _ends_mm(moving, moving.points_mm)
    for axis in cut:
        if usable[axis].any():
            end = int(usable[axis].argmax())
            shift_mm[axis] = ends[1][axis, end] - ends[0][axis, end]
    if cut.size:
        shared = _shared(fixed.points_mm + shift_mm, moving.points_mm, cut)
        ends = _ends_mm(fixed, shared[0] - shift_mm), _ends_mm(moving, shared[1])
    for axis in np.flatnonzero(usable.all(axis=1)):
        before, after = (float(np.ptp(end[axis])) for end in ends)
        scale[axis] = after / before if min(before, after) > _FLAT_MM else 1.0
        shift_mm[axis] = ends[1][axis, 0] - scale[axis] * ends[0][axis, 0]
    return scale, shift_mm


def _shared(
    fixed_mm: FloatArray, moving_mm: FloatArray, axes: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """The points within the range of both lungs along some axes.

    Lungs are widest near the bases: those that only one scan shows would widen its box alone.
    """
    low = np.maximum(fixed_mm.min(axis=0), moving_mm.min(axis=0))[axes]
    high = np.minimum(fixed_mm.max(axis=0), moving_mm.max(axis=0))[axes]
    fixed_part, moving_part = (
        points[((points[:, axes] >= low) & (points[:, axes] <= high)).all(axis=1)]
        for points in (fixed_mm, moving_mm)
    )
    if min(len(fixed_part), len(moving_part)) == 0:
        return fixed_mm, moving_mm
    return fixed_part, moving_part


def _ends_mm(lungs: _Lungs, points_mm: FloatArray) -> FloatArray:
    """(3, 2) where the outermost 40 ml lie on average, at both ends of each direction.

    Steadier than the outermost voxel, finer than a voxel, and, unlike a percentile, not moved by
    what is cut off at the other end.
    """
    most = int(_TAIL_SHARE * len(points_mm))
    tail = max(1, min(most, round(_TAIL_ML / lungs.point_ml)))
    last = len(points_mm) - tail
    parted = np.partition(points_mm, sorted({tail - 1, last}), axis=0)
    return np.stack([parted[:tail].mean(axis=0), parted[last:].mean(axis=0)], axis=1)


def _lungs(scan: Scan, frame: FloatArray) -> _Lungs | None:
    if scan.lungs is None:
        return None
    share, coarse = block_mean(scan.lungs, scan.grid, block_sizes(scan.grid, _SPACING_MM))
    voxels = np.argwhere(share >= min(0.5, float(share.max()))).astype(np.float64)
    usable = np.ones((3, 2), dtype=bool)
    turn = np.eye(4)
    turn[:3, :3] = frame.T @ scan.grid.directions
    for axis, (target, sign) in enumerate(io_orientation(turn)):
        ends_there = _at_border(scan, scan.lungs, axis) | _at_padding(scan, scan.lungs, axis)
        usable[int(target)] = ~ends_there[:: int(sign)]
    return _Lungs(
        points_mm=coarse.to_world(voxels) @ frame,
        point_ml=coarse.voxel_volume_mm3 / 1000.0,
        usable=usable,
    )


def _at_border(scan: Scan, lungs: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """(2,) whether the lungs end where the scan ends, or within 5 mm, at each face of an axis.

    Slices of one value, as left by padding, show nothing: the scan ends before them.
    """
    slices, parts = np.moveaxis(scan.image, axis, 0), np.moveaxis(lungs, axis, 0)
    gaps = []
    for step in (1, -1):
        shown = next((i for i, image in enumerate(slices[::step]) if np.ptp(image) > 0), 0)
        start = next(i for i, part in enumerate(parts[::step]) if part.any())
        gaps.append((start - shown) * scan.grid.spacing_mm[axis])
    return np.array(gaps) <= _BORDER_MM


def _at_padding(scan: Scan, lungs: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """(2,) whether the outermost 5 mm of the lungs, at each end of an axis, lie beside padding."""
    if scan.shown is None:
        return np.zeros(2, dtype=bool)
    parts = np.moveaxis(lungs, axis, 0)
    beside = np.moveaxis(lungs & dilated(~scan.shown), axis, 0)
    depth = max(1, round(_BORDER_MM / float(scan.grid.spacing_mm[axis])))
    found = []
    for step in (1, -1):
        start = next(i for i, part in enumerate(parts[::step]) if part.any())
        outer = slice(start, start + depth)
        lung, padded = (np.count_nonzero(it[::step][outer]) for it in (parts, beside))
        found.append(padded > _PADDED_SHARE * lung)
    return np.array(found)
