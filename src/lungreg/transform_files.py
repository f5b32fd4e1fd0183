"""Transforms, vector fields and point lists to files and from them.

On disk everything is in ITK's world (LPS, mm); in memory in NIfTI's (RAS, mm).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.geometry import RAS_TO_LPS, FloatArray, Grid, Transform, affine_to_lps
from lungreg.nifti import INTENT_VECTOR, MAX_VOXELS, decode_nifti, encode_nifti

LANDMARK_COLUMNS = 6
_LPS_SIGNS = np.array([-1.0, -1.0, 1.0], dtype=np.float32)
_OUTSIDE = (
    "Outside its grid ITK takes a displacement field as zero. The composite keeps the affine "
    "there, the file of total displacements gives the identity; lungreg continues the outermost "
    "displacements as constants."
)


def encode_displacement(total_mm: NDArray[Any], grid: Grid) -> bytes:
    """Write a total displacement `T(x) - x` as a vector NIfTI that ITK reads.

    Args:
        total_mm: (3, X, Y, Z) RAS components in mm at the nodes of `grid`.
        grid: Where they are given, in the fixed scan's world.

    Returns:
        Gzip bytes: float32 (X, Y, Z, 1, 3), LPS components, intent 1007 (vector).

    Raises:
        DataError: Another shape than the grid's.
    """
    if total_mm.shape != (3, *grid.shape):
        msg = f"a displacement on this grid has shape {(3, *grid.shape)}"
        raise DataError(msg, got=total_mm.shape)
    lps = np.asarray(total_mm, dtype=np.float32) * _LPS_SIGNS[:, None, None, None]
    raw = np.moveaxis(lps, 0, -1)[:, :, :, None, :]
    return encode_nifti(raw, grid.affine, intent=INTENT_VECTOR)


def decode_displacement(
    data: bytes, *, max_voxels: int = MAX_VOXELS
) -> tuple[NDArray[np.float32], Grid]:
    """Read what `encode_displacement` wrote: (3, X, Y, Z) RAS mm and the grid.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed.
        DataError: Not a vector field of shape (X, Y, Z, 1, 3).
    """
    array = decode_nifti(data, max_voxels=max_voxels, components=3)
    nx, ny, nz, _ = array.raw.shape
    grid = Grid(shape=(nx, ny, nz), affine=array.affine)
    values = array.raw.astype(np.float32) * np.float32(array.slope) + np.float32(array.intercept)
    ras = np.moveaxis(values * _LPS_SIGNS, -1, 0)
    return np.ascontiguousarray(ras), grid


def describe_transform(
    transform: Transform, *, fixed: Grid, moving: Grid, made: Mapping[str, Any]
) -> dict[str, Any]:
    """What the JSON beside a transform says: direction, units, frame, affine, grids.

    Args:
        transform: The map of one pair.
        fixed: Grid of the fixed scan.
        moving: Grid of the moving scan.
        made: How it was made (model, version, alignment); JSON values without case ids or paths.
    """
    return {
        "direction": "fixed to moving",
        "meaning": "T carries a point of the fixed scan (expiration) to the point of the moving "
        "scan (inspiration) that shows the same tissue",
        "formula": "T(x) = A(x + u(x))",
        "units": "mm",
        "frame": "LPS",
        "affine": affine_to_lps(transform.affine).tolist(),
        "displacement_grid": _describe_grid(transform.grid),
        "fixed_grid": _describe_grid(fixed),
        "moving_grid": _describe_grid(moving),
        "outside_grid": _OUTSIDE,
        "made": dict(made),
    }


def decode_landmarks(data: bytes, *, columns: int = LANDMARK_COLUMNS) -> NDArray[np.float64]:
    """Read a list of paired points: six numbers a line, fixed x y z then moving x y z.

    Commas, semicolons (then a comma may be the decimal mark), tabs or spaces part the numbers; one
    line of titles is allowed.

    Args:
        data: The file's bytes.
        columns: Numbers on a line; 3 for a list of one scan's points.

    Returns:
        (N, columns) as written: voxels of each scan, by the convention of the layouts.

    Raises:
        DataError: No text, no points, another number of columns, or a value that is no number.
    """
    lines = [line.strip() for line in _text(data).splitlines() if line.strip()]
    rows = [_fields(line) for line in lines]
    if rows and not all(_is_number(field) for field in rows[0]):
        rows = rows[1:]
    if not rows:
        msg = "a list of landmarks holds at least one pair of points"
        raise DataError(msg, got="none")
    widths = {len(row) for row in rows}
    if widths != {columns}:
        of = "fixed xyz, moving xyz" if columns == LANDMARK_COLUMNS else "xyz"
        msg = f"a line of landmarks has {columns} numbers: {of}"
        raise DataError(msg, got=f"{sorted(widths)} columns")
    if not all(_is_number(field) for row in rows for field in row):
        msg = "landmarks are numbers"
        raise DataError(msg, got="text between them")
    points = np.array(rows, dtype=np.float64)
    if not np.isfinite(points).all():
        msg = "landmarks are finite"
        raise DataError(msg, got="NaN or infinity", mend="remove such lines")
    return points


def encode_landmarks(points: FloatArray) -> bytes:
    """Write paired points (N, 6) as CSV without a title, as the Zenodo layout has it.

    Raises:
        DataError: Another shape.
    """
    if points.ndim != 2 or points.shape[1] != LANDMARK_COLUMNS:
        msg = f"paired points have shape (N, {LANDMARK_COLUMNS})"
        raise DataError(msg, got=points.shape)
    lines = (",".join(f"{value:.6f}" for value in row) for row in points)
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _describe_grid(grid: Grid) -> dict[str, Any]:
    return {"shape": list(grid.shape), "affine": (RAS_TO_LPS @ grid.affine).tolist()}


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = "a list of landmarks is text (CSV)"
        raise DataError(msg, got="other bytes", mend="export it as CSV in UTF-8") from error


def _fields(line: str) -> list[str]:
    if ";" in line:
        return [field.strip().replace(",", ".") for field in line.split(";")]
    if "," in line:
        return [field.strip() for field in line.split(",")]
    return line.split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
