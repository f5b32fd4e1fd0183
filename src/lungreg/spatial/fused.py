"""Interpolation and differentiation on a grid in one pass, on a CPU with numba.

PyTorch's operations in `displacement` are the reference, and serve GPUs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.spatial.geometry import FloatArray
from lungreg.spatial.lines import Lines
from lungreg.spatial.threads import has_numba, in_shares

_Floats = NDArray[np.float32]


def is_fused(device: torch.device) -> bool:
    """Whether the functions below serve a device."""
    return device.type == "cpu" and has_numba()


def field_on(field: _Floats, lines: Lines) -> _Floats:
    """(3, X, Y, Z) a displacement (3, U, V, W) at the places of a grid's voxels."""
    from lungreg.spatial.kernel import field_share

    values = np.empty((3, lines.x.shape[1], lines.y.shape[1], lines.z.shape[1]), np.float32)
    field = np.ascontiguousarray(field)
    _run(lambda a, b: field_share(a, b, field, _plain(lines), values), values.shape[1])
    return values


def resampled_on(
    volume: _Floats,
    lines: Lines,
    dense_mm: _Floats | None,
    vector: FloatArray,
    *,
    nearest: bool,
    outside_value: float,
) -> tuple[_Floats, NDArray[np.bool_]]:
    """A volume at the places of a grid's voxels, and where these lie outside it.

    Args:
        volume: (U, V, W).
        lines: From the grid's voxels to those of the volume.
        dense_mm: (3, X, Y, Z) displacement of the grid's voxels in mm; None for zero.
        vector: (3, 3) from that displacement to voxels of the volume.
        nearest: Take the nearest voxel, not the mean of the eight around.
        outside_value: Beyond the volume.
    """
    from lungreg.spatial.kernel import resample_share

    shape = lines.x.shape[1], lines.y.shape[1], lines.z.shape[1]
    values, outside = np.empty(shape, np.float32), np.empty(shape, bool)
    moves = dense_mm is not None
    dense = np.zeros((3, 1, 1, 1), np.float32) if dense_mm is None else dense_mm
    displaced = moves, np.ascontiguousarray(dense), np.array(vector, np.float32)
    taken = nearest, np.float32(outside_value)

    def share(first: int, last: int) -> None:
        resample_share((first, last), volume, _plain(lines), displaced, taken, values, outside)

    _run(share, shape[0])
    return values, outside


def determinant_on(dense_mm: _Floats, to_index: FloatArray, scale: float) -> _Floats:
    """(X, Y, Z) determinant of `I + du/dx` times a factor; `to_index` leads from mm to voxels."""
    from lungreg.spatial.kernel import determinant_share

    result = np.empty(dense_mm.shape[1:], np.float32)
    dense, matrix = np.ascontiguousarray(dense_mm), np.array(to_index, np.float32)
    _run(
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
    _run(lambda a, b: filter_share((a, b), volume, axis, half, index, result), len(volume))
    return result


def mean_around(volumes: _Floats, radius: int) -> _Floats:
    """Volumes (..., X, Y, Z): means of `radius` voxels around along each axis, edges repeated."""
    from lungreg.spatial.filter_kernel import mean_share

    result = np.empty_like(volumes, order="C")
    taken, given = (it.reshape(-1, *volumes.shape[-3:]) for it in (volumes, result))
    planes = taken.shape[0] * taken.shape[1]
    _run(lambda a, b: mean_share((a, b), taken, radius, given), planes)
    return result


def at_points(field: _Floats, index: FloatArray) -> FloatArray:
    """(N, 3) a field (3, X, Y, Z) at places (N, 3): linear between nodes, constant beyond."""
    from lungreg.spatial.kernel import points_share

    values, places = np.empty(index.shape), np.ascontiguousarray(index, dtype=np.float64)
    nodes = np.ascontiguousarray(field)
    _run(lambda a, b: points_share((a, b), nodes, places, values), len(places))
    return values


def _plain(lines: Lines) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    return lines.x, lines.y, lines.z, lines.shift


def _run(share: Callable[[int, int], None], planes: int) -> None:
    list(in_shares(share, 0, planes))
