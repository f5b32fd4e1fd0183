"""The CSV of a case's landmarks: one pair of points a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.points.text import decode_text, is_number
from lungreg.formats.points.titles import name_a_world, require_xyz
from lungreg.spatial.geometry import FloatArray

LANDMARK_COLUMNS = 6


def decode_landmarks(data: bytes, *, columns: int = LANDMARK_COLUMNS) -> NDArray[np.float64]:
    """Read a list of paired points: six numbers a line, fixed x y z then moving x y z.

    Commas, semicolons (then a comma may be the decimal mark), tabs or spaces separate the numbers;
    one line of titles is allowed, which names these columns in this order.

    Args:
        data: The file's bytes.
        columns: Numbers on a line; 3 for a list of one scan's points.

    Returns:
        (N, columns) as written: voxels of each scan, by the convention of the layouts.

    Raises:
        DataError: No text, no points, another number of columns, a value that is no number, or
            titles that name something else, another order of the columns, or mm.
    """
    lines = [
        line.strip()
        for line in decode_text(data, what="a list of landmarks").splitlines()
        if line.strip()
    ]
    rows = [_fields(line) for line in lines]
    if rows and not all(is_number(field) for field in rows[0]):
        _check_titles(rows[0], columns)
        rows = rows[1:]
    if not rows:
        msg = "a list of landmarks holds at least one pair of points"
        raise DataError(msg, got="none")
    widths = {len(row) for row in rows}
    if widths != {columns}:
        of = "fixed xyz, moving xyz" if columns == LANDMARK_COLUMNS else "xyz"
        msg = f"a line of landmarks has {columns} numbers: {of}"
        raise DataError(msg, got=f"{sorted(widths)} columns")
    if not all(is_number(field) for row in rows for field in row):
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


def _check_titles(titles: list[str], columns: int) -> None:
    paired = columns == LANDMARK_COLUMNS
    if len(titles) == columns:
        meant = "fixed x, y, z, then moving x, y, z" if paired else "x, y, z"
        require_xyz(titles, f"landmarks are {meant}")
    if name_a_world(titles):
        msg = "landmarks are given in voxels of each scan"
        raise DataError(msg, got="titles in mm", mend="convert them from mm to voxels (from 0)")


def _fields(line: str) -> list[str]:
    if ";" in line:
        return [field.strip().replace(",", ".") for field in line.split(";")]
    if "," in line:
        return [field.strip() for field in line.split(",")]
    return line.split()
