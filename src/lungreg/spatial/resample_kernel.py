"""Resampling from one grid to another, as numba compiles it: PyTorch's operations in their order.

Line by line: where the places of a whole line lie is what the compiler turns into vector
instructions, before the voxels around each of them are looked up. That takes half of the time.
Rows are read from arrays of all three axes: to cut each out, at every line, takes as long again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled_as_written
from lungreg.spatial.kernel import Span, linear

_Floats = NDArray[np.float32]
_Mask = NDArray[np.bool_]
_Lines = tuple[_Floats, _Floats, _Floats, _Floats]
"""An affine map of the voxels of a grid: (3, n) for each axis, and (3,); their sum is the place."""

_Displaced = tuple[bool, _Floats, _Floats]
"""Whether there is a displacement; (3, X, Y, Z) of it in mm, and (3, 3) from that to voxels."""


class _Line(NamedTuple):
    """The places of a line of Z voxels in a volume, and what they lie between."""

    places: _Floats
    """(3, Z) in voxels of the volume."""
    low: NDArray[np.int32]
    """(3, Z) the node below."""
    near: _Floats
    """(3, Z) the share of that node."""
    far: _Floats
    """(3, Z) the share of the next one."""


@compiled_as_written
def _room(size: int) -> _Line:
    return _Line(
        np.empty((3, size), np.float32),
        np.empty((3, size), np.int32),
        np.empty((3, size), np.float32),
        np.empty((3, size), np.float32),
    )


@compiled_as_written
def _clear(beyond: _Mask) -> None:
    for z in range(len(beyond)):
        beyond[z] = False


@compiled_as_written
def _set_affine(here: tuple[int, int], lines: _Lines, places: _Floats) -> None:
    """Of the voxels of the grid's line that is there, into (3, Z)."""
    x, y = here
    along_x, along_y, along_z, shift = lines
    for axis in range(3):
        of_x, of_y, whole = along_x[axis, x], along_y[axis, y], shift[axis]
        for z in range(places.shape[1]):
            places[axis, z] = of_x + of_y + along_z[axis, z] + whole


@compiled_as_written
def _add_displacement(
    here: tuple[int, int], dense_mm: _Floats, vector: _Floats, places: _Floats
) -> None:
    x, y = here
    u, v, w = dense_mm[0, x, y], dense_mm[1, x, y], dense_mm[2, x, y]
    for axis in range(3):
        a, b, c = vector[axis, 0], vector[axis, 1], vector[axis, 2]
        for z in range(places.shape[1]):
            places[axis, z] += a * u[z] + b * v[z] + c * w[z]


@compiled_as_written
def _lie_between(size: int, axis: int, line: _Line, beyond: _Mask) -> None:
    """As `kernel.between`, for a line of places along an axis of so many nodes."""
    places, low, near, far = line.places, line.low, line.near, line.far
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    last, half = np.float32(size - 1), np.float32(0.5)
    to_unit, end = two / np.float32(max(size - 1, 1)), np.float32(size) - half
    for z in range(len(beyond)):
        place = places[axis, z]
        inside = ((place * to_unit - one) + one) / two * last
        # In this order, since a place may be no number.
        inside = inside if inside > zero else zero
        inside = last if inside > last else inside
        below = np.int32(inside)
        low[axis, z] = below
        near[axis, z] = np.float32(below + np.int32(1)) - inside
        far[axis, z] = inside - np.float32(below)
        beyond[z] |= (place < -half) | (place > end)


@compiled_as_written
def _find_line(
    here: tuple[int, int],
    lines: _Lines,
    displaced: _Displaced,
    shape: tuple[int, int, int],
    line: _Line,
    beyond: _Mask,
) -> None:
    """Where the voxels of one line of a grid lie in a volume of a shape.

    Args:
        here: The line's place along the grid's first two axes.
        lines: From the grid's voxels to those of the volume.
        displaced: What is added to the places.
        shape: Of the volume.
        line: What is found.
        beyond: (Z,) whether the place is more than half a voxel beyond the outer centres.
    """
    moves, dense_mm, vector = displaced
    _set_affine(here, lines, line.places)
    if moves:
        _add_displacement(here, dense_mm, vector, line.places)
    _clear(beyond)
    for axis in range(3):
        _lie_between(shape[axis], axis, line, beyond)


@compiled_as_written
def _on(line: _Line, z: int, shape: tuple[int, int, int]) -> tuple[Span, Span, Span]:
    """What one place of a line lies between along each axis."""
    low, near, far = line.low, line.near, line.far
    i, j, k = int(low[0, z]), int(low[1, z]), int(low[2, z])
    return (
        (i, min(1, shape[0] - 1 - i), near[0, z], far[0, z]),
        (j, min(1, shape[1] - 1 - j), near[1, z], far[1, z]),
        (k, min(1, shape[2] - 1 - k), near[2, z], far[2, z]),
    )


@compiled_as_written
def _nearest(on_axis: Span) -> int:
    low, step, _, far = on_axis
    # A place half-way belongs to the even node.
    if far > np.float32(0.5) or (far == np.float32(0.5) and low % 2 == 1):
        return low + step
    return low


@compiled_as_written
def field_share(
    share: tuple[int, int], field: tuple[_Floats, bool], lines: _Lines, values: _Floats
) -> None:
    """Three volumes (3, U, V, W) at the voxels of some planes of a grid: into (3, X, Y, Z).

    Args:
        share: First plane, and that after the last one.
        field: The volumes, such as a displacement, and whether there is zero more than half a voxel
            beyond the outer centres, where the outer voxels go on otherwise.
        lines: From the grid's voxels to those of the volumes.
        values: What is found.
    """
    volumes, ends = field
    still = False, np.zeros((3, 1, 1, 1), np.float32), np.zeros((3, 3), np.float32)
    line, beyond = _room(values.shape[3]), np.empty(values.shape[3], np.bool_)
    for x in range(share[0], share[1]):
        for y in range(values.shape[2]):
            _find_line((x, y), lines, still, volumes.shape[1:], line, beyond)
            for z in range(values.shape[3]):
                if ends and beyond[z]:
                    values[0, x, y, z] = values[1, x, y, z] = values[2, x, y, z] = np.float32(0)
                    continue
                on_x, on_y, on_z = _on(line, z, volumes.shape[1:])
                values[0, x, y, z] = linear(volumes[0], on_x, on_y, on_z)
                values[1, x, y, z] = linear(volumes[1], on_x, on_y, on_z)
                values[2, x, y, z] = linear(volumes[2], on_x, on_y, on_z)


@compiled_as_written
def _interpolate(
    volume: _Floats, line: _Line, beyond: _Mask, outside_value: np.float32, values: _Floats
) -> None:
    for z in range(len(values)):
        if beyond[z]:
            values[z] = outside_value
        else:
            on_x, on_y, on_z = _on(line, z, volume.shape)
            values[z] = linear(volume, on_x, on_y, on_z)


@compiled_as_written
def _take_nearest(
    labels: NDArray[Any], line: _Line, beyond: _Mask, outside_value: int, taken: NDArray[Any]
) -> None:
    for z in range(len(taken)):
        if beyond[z]:
            taken[z] = outside_value
        else:
            on_x, on_y, on_z = _on(line, z, labels.shape)
            taken[z] = labels[_nearest(on_x), _nearest(on_y), _nearest(on_z)]


@compiled_as_written
def resample_share(
    share: tuple[int, int],
    moving: tuple[_Floats, NDArray[Any]],
    lines: _Lines,
    displaced: _Displaced,
    outside_values: tuple[np.float32, int],
    found: tuple[_Floats, NDArray[Any], _Mask],
) -> None:
    """A volume and labels at the voxels of some planes of a grid, in place.

    Args:
        share: First plane, and that after the last one.
        moving: (U, V, W) volume, of which the mean of eight voxels is taken, and labels, of which
            the nearest one is. Either may be empty: (0, 0, 0).
        lines: From the grid's voxels to theirs.
        displaced: What is added to the places.
        outside_values: Of the volume and the labels, beyond them.
        found: (X, Y, Z) values, labels, and whether the place is more than half a voxel beyond the
            outer centres; of what is empty nothing is written.
    """
    volume, labels = moving
    values, taken, outside = found
    shown, labelled = volume.size > 0, labels.size > 0
    shape = volume.shape if shown else labels.shape
    line = _room(outside.shape[2])
    for x in range(share[0], share[1]):
        for y in range(outside.shape[1]):
            beyond = outside[x, y]
            _find_line((x, y), lines, displaced, shape, line, beyond)
            if shown:
                _interpolate(volume, line, beyond, outside_values[0], values[x, y])
            if labelled:
                _take_nearest(labels, line, beyond, outside_values[1], taken[x, y])
