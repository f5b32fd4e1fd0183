"""Decode scans and masks from NIfTI bytes, and encode them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.memory_order import c_ordered, slabs_of_rows
from lungreg.formats.nifti import MAX_VOXELS, NiftiArray, decode_nifti, encode_nifti
from lungreg.formats.volumes.volume import Stored, Volume
from lungreg.spatial.geometry import FloatArray, Grid

_LABEL_TOLERANCE = 1e-3
_EXACT_IN_FLOAT32_BYTES = 2


def decode_scan(data: bytes, *, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scan from NIfTI bytes, plain or gzip, that may come from anyone.

    Returns:
        float32 real values (slope and intercept applied) on the grid of the header.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed, or more data than the header declares.
        DataError: Not three-dimensional, complex or RGB, a bad spacing or affine.
    """
    array = decode_nifti(data, max_voxels=max_voxels)
    grid = _grid(array)
    values = _real(array, np.float32)
    return Volume(data=values, grid=grid, stored=_stored(array), remarks=array.remarks)


def decode_mask(data: bytes, *, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a mask from NIfTI bytes, plain or gzip, that may come from anyone.

    Returns:
        Labels as uint8, or int16 where one is above 255.

    Raises:
        DataError: As `decode_scan`, or values that are no labels.
    """
    array = decode_nifti(data, max_voxels=max_voxels)
    grid = _grid(array)
    labels = to_labels(_real_or_raw(array))
    return Volume(data=labels, grid=grid, stored=_stored(array), remarks=array.remarks)


def check_scan(volume: Volume) -> None:
    """Refuse a scan that is constant or not finite.

    Raises:
        DataError: A value that is not finite, or the same value everywhere.
    """
    low, high = float(volume.data.min()), float(volume.data.max())
    if not np.isfinite(low) or not np.isfinite(high):
        msg = "every value of a scan is finite"
        raise DataError(msg, got="NaN or infinity", mend="export the scan again")
    if low == high:
        msg = "a scan is not constant"
        raise DataError(msg, got=f"{low:g} everywhere", mend="export the scan again")


def to_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Integer labels of any numbers that are whole, as uint8, or int16 where one is above 255.

    Raises:
        DataError: Values that are not whole, not finite, below 0 or above 32767.
    """
    if values.dtype.kind == "f":
        values = _whole(values)
    if values.max() > np.iinfo(np.int16).max:
        msg = f"labels of a mask are at most {np.iinfo(np.int16).max}"
        raise DataError(msg, got=int(values.max()))
    if values.min() < 0:
        msg = "labels of a mask are not negative"
        raise DataError(msg, got=int(values.min()), mend="give a mask, not a scan")
    small = int(values.max()) <= np.iinfo(np.uint8).max
    return c_ordered(values, np.uint8 if small else np.int16)


def encode_volume(values: NDArray[Any], grid: Grid, stored: Stored) -> bytes:
    """Write a scan as NIfTI gzip bytes in a given scale and type.

    Args:
        values: (X, Y, Z) real values.
        grid: Where they lie.
        stored: The scale and type to write; integers are rounded and clipped to the type.

    Raises:
        DataError: Another shape than the grid's, or NaN that an integer cannot hold.
    """
    raw = np.empty(grid.shape, stored.dtype, order="F")
    for part in slabs_of_rows(_on_grid(values, grid).shape):
        raw[part] = _to_stored(values[part], stored)
    return encode_nifti(raw, grid.affine, slope=stored.slope, intercept=stored.intercept)


def encode_labels(labels: NDArray[Any], grid: Grid) -> bytes:
    """Write labels (X, Y, Z) as NIfTI gzip bytes, uint8 or, above 255, int16.

    Raises:
        DataError: Another shape than the grid's, or values that are no labels.
    """
    whole = labels.astype(np.uint8) if labels.dtype.kind == "b" else labels
    return encode_nifti(to_labels(_on_grid(whole, grid)), grid.affine)


def _grid(array: NiftiArray) -> Grid:
    nx, ny, nz = array.raw.shape
    check_depth((nx, ny, nz))
    return Grid(shape=(nx, ny, nz), affine=array.affine)


def check_depth(shape: tuple[int, ...]) -> None:
    """Refuse a volume of a single slice along any axis.

    Raises:
        DataError: A size below 2.
    """
    if min(shape) < 2:
        msg = "a volume has three dimensions, each of at least 2 voxels"
        raise DataError(msg, got=shape, mend="stack the slices into one file")


def _stored(array: NiftiArray) -> Stored:
    return Stored(dtype=array.raw.dtype.name, slope=array.slope, intercept=array.intercept)


def _real(array: NiftiArray, dtype: type[np.floating[Any]]) -> FloatArray:
    values = c_ordered(array.raw, dtype)
    if array.slope != 1.0:
        values *= array.slope
    if array.intercept != 0.0:
        values += array.intercept
    return values


def _real_or_raw(array: NiftiArray) -> NDArray[Any]:
    scaled = (array.slope, array.intercept) != (1.0, 0.0)
    return _real(array, np.float64) if scaled else array.raw


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    if not np.isfinite(values).all():
        msg = "every value of a mask is finite"
        raise DataError(msg, got="NaN or infinity", mend="export the mask again")
    limit = np.iinfo(np.int16).max + 1
    nearest = np.rint(values).clip(-1, limit)
    inside = (values > -0.5) & (values < limit)
    if (np.abs(values - nearest)[inside] > _LABEL_TOLERANCE).any():
        msg = "a mask holds whole numbers, one per label"
        raise DataError(msg, got="fractions", mend="threshold the probabilities first")
    return np.asarray(nearest.astype(np.int64))


def _on_grid(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    if values.shape != grid.shape:
        msg = f"values on this grid have shape {grid.shape}"
        raise DataError(msg, got=values.shape)
    return values


def _to_stored(values: NDArray[Any], stored: Stored) -> NDArray[Any]:
    dtype = np.dtype(stored.dtype)
    wide = dtype.itemsize > _EXACT_IN_FLOAT32_BYTES
    numbers: FloatArray = values.astype(np.float64 if wide else np.float32)
    if stored.intercept != 0.0:
        numbers -= stored.intercept
    if stored.slope != 1.0:
        numbers /= stored.slope
    if dtype.kind == "f":
        return numbers.astype(dtype)
    if not np.isfinite(numbers).all():
        msg = f"values written as {dtype.name} are finite"
        raise DataError(msg, got="NaN or infinity")
    return _clip(np.rint(numbers), dtype)


def _clip(numbers: FloatArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Clip to a type, at the top to the largest float64 in it: 8-byte integers go beyond."""
    info = np.iinfo(dtype)
    top = float(info.max)
    while int(top) > info.max:
        top = float(np.nextafter(top, 0.0))
    return numbers.clip(float(info.min), top).astype(dtype)
