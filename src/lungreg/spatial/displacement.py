"""Functions on displacement fields: warp, enlarge, resample through, differentiate.

Interpolation is trilinear between voxel centres and constant beyond the outer ones, as in ITK. On
CPU and GPU the work is done slab by slab, so that memory beyond input and output stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from torch import Tensor

from lungreg.spatial.fused import (
    LABEL_TYPES,
    at_points,
    determinant_on,
    field_on,
    is_fused,
    resampled_on,
)
from lungreg.spatial.geometry import FloatArray, Grid, Shape, Transform, apply_affine
from lungreg.spatial.lines import affine_lines, places_on
from lungreg.spatial.slabs import slabs

Interpolation = Literal["linear", "nearest"]
Dense = NDArray[np.float32] | Tensor
"""A displacement in memory, or on a device."""
SLAB_VOXELS = 1_500_000
"""Voxels that are computed at once."""
_FEW_POINTS = 10_000
"""Up to so many points, NumPy is faster than numba is imported."""
_TORCH_MODE = {"linear": "bilinear", "nearest": "nearest"}
CPU = torch.device("cpu")


def index_grid(
    shape: Shape, *, device: torch.device, start: int = 0, stop: int | None = None
) -> Tensor:
    """Voxel coordinates of a slab of a grid along its first axis: (3, stop - start, Y, Z)."""
    first = torch.arange(start, shape[0] if stop is None else stop, device=device)
    axes = (first, *(torch.arange(n, device=device) for n in shape[1:]))
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).float()


def mapped(matrix: FloatArray, points: Tensor) -> Tensor:
    """Points (3, X, Y, Z) after a (4, 4) map."""
    linear = torch.as_tensor(matrix[:3, :3].copy()).to(points)
    shift = torch.as_tensor(matrix[:3, 3].copy()).to(points)
    return torch.einsum("kl,lxyz->kxyz", linear, points) + shift.view(3, 1, 1, 1)


def sample(volume: Tensor, points_vox: Tensor, *, mode: Interpolation = "linear") -> Tensor:
    """Sample volumes at voxel coordinates, constant beyond the outer voxel centres.

    Args:
        volume: (B, C, X, Y, Z).
        points_vox: (B, 3, ...) coordinates in voxels of `volume`; any number of further axes up
            to three.
        mode: Interpolation between voxels.

    Returns:
        (B, C, ...) sampled values.
    """
    size = torch.tensor(volume.shape[2:], device=volume.device, dtype=points_vox.dtype)
    batch, channels = points_vox.shape[0], volume.shape[1]
    scale = (2 / (size - 1).clamp(min=1)).view(1, 3, 1)
    unit = (points_vox.reshape(batch, 3, -1) * scale - 1).flip(1)
    count = unit.shape[2]
    # PyTorch's CPU kernel shares out the batch among threads and nothing else.
    alone = batch == 1 and volume.device.type == "cpu"
    shares = min(torch.get_num_threads(), max(count, 1)) if alone else 1
    width = -(-count // shares)
    where = nnf.pad(unit, (0, shares * width - count)).reshape(batch, 3, shares, width)
    values = nnf.grid_sample(
        volume.expand(shares, -1, -1, -1, -1) if alone else volume,
        where.permute(0, 2, 3, 1).reshape(batch * shares, width, 1, 1, 3),
        mode=_TORCH_MODE[mode],
        padding_mode="border",
        align_corners=True,
    )
    values = values.reshape(batch, shares, channels, width).transpose(1, 2)
    found = values.reshape(batch, channels, shares * width)[:, :, :count]
    return found.reshape(batch, channels, *points_vox.shape[2:])


def warp(image: Tensor, displacement_vox: Tensor, *, mode: Interpolation = "linear") -> Tensor:
    """`image(i + d(i))` at every voxel `i`, differentiable: the network trains with it.

    Equal to MONAI's `Warp(padding_mode="border")`, without its cached grid.

    Args:
        image: (B, C, X, Y, Z).
        displacement_vox: (B, 3, X, Y, Z) in voxels, component `k` along array axis `k`.
        mode: Interpolation between voxels.

    Returns:
        (B, C, X, Y, Z) warped image.
    """
    identity = index_grid(_shape3(displacement_vox.shape[2:]), device=image.device)
    return sample(image, identity[None] + displacement_vox, mode=mode)


def to_mm(displacement_vox: Tensor, grid: Grid) -> Tensor:
    """A displacement (..., 3, X, Y, Z) in voxels of `grid` as RAS components in mm."""
    matrix = torch.as_tensor(
        grid.affine[:3, :3].copy(), dtype=displacement_vox.dtype, device=displacement_vox.device
    )
    return torch.einsum("kl,...lxyz->...kxyz", matrix, displacement_vox)


def dense_displacement(
    transform: Transform, grid: Grid, *, device: torch.device = CPU
) -> NDArray[np.float32]:
    """`u` of a transform at every voxel of another grid of the fixed scan.

    Returns:
        (3, X, Y, Z) float32, RAS components in mm.
    """
    if grid.same_as(transform.grid):
        return transform.displacement_mm
    dense: NDArray[np.float32] = dense_on(device, transform, grid).cpu().numpy()
    return dense


def dense_on(device: torch.device, transform: Transform, grid: Grid) -> Tensor:
    """As `dense_displacement`, left on the device it is computed on."""
    if grid.same_as(transform.grid):
        return torch.as_tensor(transform.displacement_mm, device=device)
    lines = affine_lines(np.linalg.inv(transform.grid.affine) @ grid.affine, grid.shape)
    if is_fused(device):
        return torch.from_numpy(field_on(transform.displacement_mm, lines))
    field = torch.as_tensor(transform.displacement_mm, device=device)[None]
    result = torch.empty(3, *grid.shape, device=device)
    for start, stop in slabs(grid.shape, SLAB_VOXELS):
        points = places_on(lines, start, stop, device)
        result[:, start:stop] = sample(field, points[None])[0]
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """A moving volume on the fixed grid."""

    values: NDArray[Any]
    """(X, Y, Z), in the type of the moving array; integers are rounded."""
    outside: NDArray[np.bool_]
    """(X, Y, Z), True where the transform leaves the moving volume."""


def resample(
    moving: NDArray[Any],
    moving_grid: Grid,
    fixed_grid: Grid,
    affine: FloatArray,
    dense_mm: Dense | None = None,
    *,
    mode: Interpolation = "linear",
    outside_value: float = 0.0,
    device: torch.device = CPU,
) -> Resampled:
    """`moving(A(x + u(x)))` at every voxel of the fixed grid, sampled once.

    Args:
        moving: (X', Y', Z') values on `moving_grid`.
        moving_grid: Grid of the moving scan.
        fixed_grid: Grid of the fixed scan.
        affine: (4, 4) `A`, fixed RAS mm to moving RAS mm.
        dense_mm: (3, X, Y, Z) `u` on the fixed grid in mm, best on the device already; None for
            zero.
        mode: linear for images, nearest for labels.
        outside_value: What voxels get whose point lies more than half a voxel beyond the outer
            voxel centres, as in ITK.
        device: Where to compute.
    """
    to_moving = np.linalg.inv(moving_grid.affine) @ affine
    lines, vector = affine_lines(to_moving @ fixed_grid.affine, fixed_grid.shape), to_moving[:3, :3]
    kept = mode == "nearest" and moving.dtype in LABEL_TYPES and is_fused(device)
    source = np.ascontiguousarray(moving, dtype=moving.dtype if kept else np.float32)
    if is_fused(device):
        dense = None if dense_mm is None else np.asarray(dense_mm)
        found, outside = resampled_on(
            source, lines, dense, vector, nearest=mode == "nearest", outside_value=outside_value
        )
        values = found if kept or moving.dtype.kind == "f" else np.rint(found)
        return Resampled(values=values.astype(moving.dtype, copy=False), outside=outside)
    volume = torch.as_tensor(source, device=device)
    turn = torch.as_tensor(vector.copy(), dtype=torch.float32, device=device)
    limit = torch.tensor(moving_grid.shape, device=device).view(3, 1, 1, 1) - 0.5
    values = np.empty(fixed_grid.shape, dtype=moving.dtype)
    outside = np.empty(fixed_grid.shape, dtype=bool)
    for start, stop in slabs(fixed_grid.shape, SLAB_VOXELS):
        points = places_on(lines, start, stop, device)
        if dense_mm is not None:
            part = torch.as_tensor(dense_mm[:, start:stop], device=device)
            points += torch.einsum("kl,lxyz->kxyz", turn, part)
        beyond = ((points < -0.5) | (points > limit)).any(dim=0)
        slab = sample(volume[None, None], points[None], mode=mode)[0, 0]
        slab = slab if moving.dtype.kind == "f" else slab.round()
        _put(torch.where(beyond, outside_value, slab), values[start:stop])
        _put(beyond, outside[start:stop])
    return Resampled(values=values, outside=outside)


def jacobian_determinant(
    affine: FloatArray, dense_mm: Dense, grid: Grid, *, device: torch.device = CPU
) -> NDArray[np.float32]:
    """Determinant of the Jacobian of `T(x) = A(x + u(x))` by central differences in mm.

    One-sided differences at the faces of the grid, as `numpy.gradient`.

    Args:
        affine: (4, 4) `A`.
        dense_mm: (3, X, Y, Z) `u` on `grid`, RAS components in mm, best on the device already.
        grid: Where to differentiate.
        device: Where to compute.

    Returns:
        (X, Y, Z) float32, no unit; 1 keeps volume, 0 or less is a fold.
    """
    matrix = np.linalg.inv(grid.affine)[:3, :3]
    scale = float(np.linalg.det(affine[:3, :3]))
    if is_fused(device):
        return determinant_on(np.asarray(dense_mm), matrix, scale)
    to_index = torch.as_tensor(matrix.copy(), dtype=torch.float32, device=device)
    result = np.empty(grid.shape, dtype=np.float32)
    for start, stop in slabs(grid.shape, SLAB_VOXELS):
        low, high = max(start - 1, 0), min(stop + 1, grid.shape[0])
        part = torch.as_tensor(dense_mm[:, low:high], device=device)
        slab = scale * _determinant_slab(part, to_index)
        _put(slab[start - low : slab.shape[0] - (high - stop)], result[start:stop])
    return result


def transform_points(transform: Transform, points_ras: FloatArray) -> FloatArray:
    """`T` of points (N, 3), from fixed RAS mm to moving RAS mm."""
    points = np.asarray(points_ras, dtype=np.float64)
    field, index = transform.displacement_mm, transform.grid.to_voxel(points)
    compiled = len(points) > _FEW_POINTS and is_fused(CPU)
    moved = points + (at_points(field, index) if compiled else _at_points(field, index))
    return apply_affine(transform.affine, moved)


def _at_points(field: NDArray[np.float32], index: FloatArray) -> FloatArray:
    """(N, 3) linear between the eight nodes (3, X, Y, Z) around each index, constant beyond."""
    last = np.array(field.shape[1:]) - 1
    inside = np.clip(index, 0, last)
    low = np.minimum(inside.astype(int), np.maximum(last - 1, 0))
    far = inside - low
    total: FloatArray = np.zeros(index.shape)
    for corner in np.ndindex(2, 2, 2):
        x, y, z = np.minimum(low + corner, last).T
        weight = np.where(corner, far, 1 - far).prod(axis=1)
        total += weight[:, None] * field[:, x, y, z].T
    return total


def _put(found: Tensor, room: NDArray[Any]) -> None:
    """Write what was found on a device into an array, in the array's type."""
    if room.dtype in (np.float32, np.bool_):
        torch.from_numpy(room).copy_(found)  # without another array between them
    else:
        room[:] = found.cpu().numpy()


def _determinant_slab(dense_mm: Tensor, to_index: Tensor) -> Tensor:
    """Determinant of I + du/dx on a slab (3, n, Y, Z)."""
    dims = tuple(dim for dim in (1, 2, 3) if dense_mm.shape[dim] > 1)
    by_axis = dict(zip(dims, torch.gradient(dense_mm, dim=dims), strict=True))
    by_index = [by_axis.get(dim, torch.zeros_like(dense_mm)) for dim in (1, 2, 3)]
    j = [
        [sum(by_index[m][k] * to_index[m, n] for m in range(3)) + float(k == n) for n in range(3)]
        for k in range(3)
    ]
    return torch.as_tensor(
        j[0][0] * (j[1][1] * j[2][2] - j[1][2] * j[2][1])
        - j[0][1] * (j[1][0] * j[2][2] - j[1][2] * j[2][0])
        + j[0][2] * (j[1][0] * j[2][1] - j[1][1] * j[2][0])
    )


def _shape3(size: torch.Size) -> Shape:
    return int(size[0]), int(size[1]), int(size[2])
