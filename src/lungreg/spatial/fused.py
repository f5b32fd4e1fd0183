"""Interpolation and differentiation on a grid in one pass, on a CPU with numba.

PyTorch's operations in `displacement` are the reference, and serve GPUs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.spatial.geometry import FloatArray, Shape
from lungreg.spatial.lines import Lines
from lungreg.spatial.straight import places_by_axis, straight_field, straight_volume
from lungreg.spatial.threads import has_numba, run_shares

_Floats = NDArray[np.float32]
LABEL_TYPES = (np.uint8, np.int16)
"""Of labels that the compiled loops take as they are."""
_NO_VOLUME, _NO_LABELS = np.empty((0, 0, 0), np.float32), np.empty((0, 0, 0), np.uint8)


def is_fused(device: torch.device) -> bool:
    """Whether the functions below serve a device."""
    return device.type == "cpu" and has_numba()


def field_on(field: _Floats, lines: Lines, *, ends: bool = False) -> _Floats:
    """(3, X, Y, Z) three volumes (3, U, V, W) at the places of a grid's voxels.

    Args:
        field: Such as a displacement.
        lines: From the grid's voxels to those of the volumes.
        ends: Whether there is zero more than half a voxel beyond the outer centres, where the outer
            voxels go on otherwise.
    """
    from lungreg.spatial.resample_kernel import field_share

    field, straight = np.ascontiguousarray(field), places_by_axis(lines)
    if straight is not None:
        return straight_field(field, straight, ends=ends)
    values = np.empty((3, lines.x.shape[1], lines.y.shape[1], lines.z.shape[1]), np.float32)
    run_shares(
        lambda a, b: field_share((a, b), (field, ends), _plain(lines), values), values.shape[1]
    )
    return values


def resampled_on(
    volume: NDArray[Any],
    lines: Lines,
    dense_mm: _Floats | None,
    vector: FloatArray,
    *,
    nearest: bool,
    outside_value: float,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A volume at the places of a grid's voxels, and where these lie outside it.

    Args:
        volume: (U, V, W) float32, or of any type where the nearest voxel is taken.
        lines: From the grid's voxels to those of the volume.
        dense_mm: (3, X, Y, Z) displacement of the grid's voxels in mm; None for zero.
        vector: (3, 3) from that displacement to voxels of the volume.
        nearest: Take the nearest voxel, not the mean of the eight around.
        outside_value: Beyond the volume.
    """
    straight = places_by_axis(lines) if dense_mm is None else None
    if straight is not None:
        return straight_volume(volume, straight, nearest=nearest, outside_value=outside_value)
    moving = (_NO_VOLUME, volume) if nearest else (volume, _NO_LABELS)
    beyond = (0.0, outside_value) if nearest else (outside_value, 0.0)
    values, labels, outside = both_on(moving, lines, dense_mm, vector, beyond)
    return labels if nearest else values, outside


def both_on(
    moving: tuple[_Floats, NDArray[Any]],
    lines: Lines,
    dense_mm: _Floats | None,
    vector: FloatArray,
    outside_values: tuple[float, float],
) -> tuple[_Floats, NDArray[Any], NDArray[np.bool_]]:
    """A volume and labels on one grid at the places of another's voxels, in one pass.

    The volume is interpolated, of the labels the nearest is taken; either may be empty, and each
    has a value of its own beyond its ends. The other arguments are those of `resampled_on`.
    """
    from lungreg.spatial.resample_kernel import resample_share

    shape = lines.x.shape[1], lines.y.shape[1], lines.z.shape[1]
    values, labels = (np.empty(shape if it.size else (0, 0, 0), it.dtype) for it in moving)
    outside = np.empty(shape, bool)
    moves = dense_mm is not None
    dense = np.zeros((3, 1, 1, 1), np.float32) if dense_mm is None else dense_mm
    displaced = moves, np.ascontiguousarray(dense), np.array(vector, np.float32)
    beyond = np.float32(outside_values[0]), moving[1].dtype.type(outside_values[1])
    found = values, labels, outside
    run_shares(
        lambda a, b: resample_share((a, b), moving, _plain(lines), displaced, beyond, found),
        shape[0],
    )
    return values, labels, outside


def determinant_on(dense_mm: _Floats, to_index: FloatArray, scale: float) -> _Floats:
    """(X, Y, Z) determinant of `I + du/dx` times a factor; `to_index` leads from mm to voxels."""
    from lungreg.spatial.kernel import determinant_share

    result = np.empty(dense_mm.shape[1:], np.float32)
    dense, matrix = np.ascontiguousarray(dense_mm), np.array(to_index, np.float32)
    run_shares(
        lambda a, b: determinant_share((a, b), dense, matrix, np.float32(scale), result),
        len(result),
    )
    return result


def filtered_along(
    image: _Floats, axis: int, weights: NDArray[np.float64], index: NDArray[np.int64]
) -> _Floats:
    """A volume (X, Y, Z) correlated with a symmetric kernel along one axis.

    Args:
        image: The volume.
        axis: Which one.
        weights: (R + 1,) from the middle outwards.
        index: (n + 2 R,) the voxels along the axis with R more on both sides.
    """
    from lungreg.spatial.filter_kernel import filter_share

    volume, half = np.ascontiguousarray(image), np.ascontiguousarray(weights)
    result = np.empty_like(volume)
    run_shares(lambda a, b: filter_share((a, b), volume, axis, half, index, result), len(volume))
    return result


def mean_around(volumes: _Floats, radius: int) -> _Floats:
    """Volumes (..., X, Y, Z): means of `radius` voxels around along each axis, edges repeated."""
    from lungreg.spatial.filter_kernel import mean_share

    lines = np.ascontiguousarray(volumes)
    result = np.empty_like(lines)
    taken, given = (it.reshape(-1, *volumes.shape[-3:]) for it in (lines, result))
    planes = taken.shape[0] * taken.shape[1]
    run_shares(lambda a, b: mean_share((a, b), taken, radius, given), planes)
    return result


def block_means(volume: NDArray[Any], blocks: Shape) -> _Floats:
    """Means of blocks of voxels of a volume (X, Y, Z), float32 or a mask."""
    from lungreg.spatial.coarsening_kernel import block_share

    voxels = np.ascontiguousarray(volume)
    sizes = zip(voxels.shape, blocks, strict=True)
    result = np.empty([-(-size // block) for size, block in sizes], np.float32)
    run_shares(lambda a, b: block_share((a, b), voxels, blocks, result), len(result))
    return result


def at_points(field: _Floats, index: FloatArray) -> FloatArray:
    """(N, 3) a field (3, X, Y, Z) at places (N, 3): linear between nodes, constant beyond."""
    from lungreg.spatial.kernel import points_share

    values, places = np.empty(index.shape), np.ascontiguousarray(index, dtype=np.float64)
    nodes = np.ascontiguousarray(field)
    run_shares(lambda a, b: points_share((a, b), nodes, places, values), len(places))
    return values


def _plain(lines: Lines) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    return lines.x, lines.y, lines.z, lines.shift
