"""Apply several transforms one after the other to points, or to an image sampled once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from lungreg.errors import DataError
from lungreg.spatial.displacement import Interpolation, Resampled, sample, transform_points
from lungreg.spatial.geometry import FloatArray, Grid, Shape, Transform, apply_affine
from lungreg.spatial.slabs import slabs

MAX_ORDER = 3
SLAB_VOXELS = 1_000_000
"""Voxels of the reference that are computed at once."""


def chain_points(transforms: Sequence[Transform], points_ras: FloatArray) -> FloatArray:
    """Points (N, 3) through the first transform, then the next: RAS mm of the last one's world."""
    for transform in transforms:
        points_ras = transform_points(transform, points_ras)
    return np.asarray(points_ras)


def resample_through(
    values: NDArray[Any],
    grid: Grid,
    transforms: Sequence[Transform],
    reference: Grid,
    *,
    order: int = 1,
    outside_value: float = 0.0,
) -> Resampled:
    """`image(Tn(... T2(T1(x))))` at every voxel of a reference grid, interpolated once.

    Args:
        values: (X', Y', Z') the image or mask, in the world that the last transform leads to.
        grid: Its grid.
        transforms: In the order in which a point of the reference goes through them.
        reference: The grid wanted, in the world that the first transform starts from.
        order: Of the spline between voxels: 0 nearest, 1 linear, 2 or 3 smooth (with mirrored
            borders, as ITK's B-spline interpolator).
        outside_value: What voxels get whose point lies more than half a voxel beyond the image's
            outer voxel centres.

    Returns:
        Values on the reference in the type of `values`; integers are rounded.

    Raises:
        DataError: An order other than 0 to 3.
    """
    if not 0 <= order <= MAX_ORDER:
        msg = f"the order of interpolation is 0 to {MAX_ORDER}"
        raise DataError(msg, got=order)
    source = values.astype(np.float32)
    if order > 1:
        source = spline_filter(source, order=order, output=np.float32, mode="mirror")
    to_image = np.linalg.inv(grid.affine)
    limit = np.array(grid.shape) - 0.5
    result = np.empty(reference.shape, dtype=values.dtype)
    outside = np.empty(reference.shape, dtype=bool)
    for start, stop in slabs(reference.shape, SLAB_VOXELS):
        part = (stop - start, *reference.shape[1:])
        points = reference.to_world(_voxels(start, stop, reference.shape))
        index = apply_affine(to_image, _carried(transforms, points))
        beyond = ((index < -0.5) | (index > limit)).any(axis=1)
        sampled = _sampled(source, index, order)
        sampled = sampled if values.dtype.kind == "f" else np.rint(sampled)
        result[start:stop] = np.where(beyond, outside_value, sampled).reshape(part)
        outside[start:stop] = beyond.reshape(part)
    return Resampled(values=result, outside=outside)


def _carried(transforms: Sequence[Transform], points: FloatArray) -> FloatArray:
    """As `chain_points`, with displacements in single precision, for many points."""
    for transform in transforms:
        index = torch.as_tensor(transform.grid.to_voxel(points).T, dtype=torch.float32)
        field = torch.as_tensor(transform.displacement_mm)
        moved = points + sample(field[None], index[None])[0].numpy().T
        points = apply_affine(transform.affine, moved)
    return points


def _sampled(source: NDArray[np.float32], index: FloatArray, order: int) -> NDArray[np.float32]:
    """(N,) values at indices (N, 3); beyond the outer voxel centres constant, splines mirrored."""
    if order > 1:
        found = map_coordinates(source, index.T, order=order, mode="mirror", prefilter=False)
        return np.asarray(found, dtype=np.float32)
    where = torch.as_tensor(index.T, dtype=torch.float32)
    mode: Interpolation = "linear" if order == 1 else "nearest"
    values = sample(torch.as_tensor(source)[None, None], where[None], mode=mode)
    return np.asarray(values[0, 0].numpy())


def _voxels(start: int, stop: int, shape: Shape) -> FloatArray:
    axes = (np.arange(start, stop), np.arange(shape[1]), np.arange(shape[2]))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)
