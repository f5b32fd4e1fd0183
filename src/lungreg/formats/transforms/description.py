"""Write and read the JSON beside a transform: direction, frame, units, affine and grids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lungreg.errors import DataError, LungregError
from lungreg.spatial.geometry import RAS_TO_LPS, FloatArray, Grid, Transform, affine_to_lps

FIXED_TO_MOVING = "fixed to moving"
MOVING_TO_FIXED = "moving to fixed"
_OUTSIDE = (
    "Outside its grid ITK takes a displacement field as zero. The composite keeps the affine "
    "there, the file of total displacements gives the identity; lungreg continues the outermost "
    "displacements as constants."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """The contents of the JSON beside a transform that a program uses."""

    affine: FloatArray
    """(4, 4) `A` of the transform from fixed to moving, RAS mm."""
    fixed: Grid
    """The fixed scan's."""
    moving: Grid
    """The moving scan's."""
    made: Mapping[str, Any]
    """How it was made."""
    directions: Mapping[str, str]
    """`FIXED_TO_MOVING` or `MOVING_TO_FIXED` by name of a file beside the JSON."""


def describe_transform(
    transform: Transform, *, fixed: Grid, moving: Grid, made: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON beside a transform, as a dict: direction, units, frame, affine, grids.

    Args:
        transform: The map of one pair.
        fixed: Grid of the fixed scan.
        moving: Grid of the moving scan.
        made: How it was made (model, version, alignment); JSON values without case ids or paths.
    """
    return {
        "direction": FIXED_TO_MOVING,
        "meaning": "T carries a point of the fixed scan (expiration) to the point of the moving "
        "scan (inspiration) that shows the same tissue",
        "formula": "T(x) = A(x + u(x))",
        "units": "mm",
        "frame": "LPS",
        "affine": affine_to_lps(transform.affine).tolist(),
        "displacement_grid": describe_grid(transform.grid),
        "fixed_grid": describe_grid(fixed),
        "moving_grid": describe_grid(moving),
        "outside_grid": _OUTSIDE,
        "made": dict(made),
    }


def describe_grid(grid: Grid) -> dict[str, Any]:
    """A grid as JSON: shape, and the affine from voxel index to LPS mm."""
    return {"shape": list(grid.shape), "affine": (RAS_TO_LPS @ grid.affine).tolist()}


def decode_description(data: bytes) -> Description:
    """Read the JSON that `describe_transform` makes.

    Raises:
        DataError: Not such a JSON document.
    """
    try:
        document = json.loads(data)
        return Description(
            affine=affine_to_lps(_matrix(document["affine"])),
            fixed=_grid(document["fixed_grid"]),
            moving=_grid(document["moving_grid"]),
            made=dict(document.get("made", {})),
            directions=dict(document.get("files", {})),
        )
    except (LungregError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = "the JSON beside a transform holds its affine and the grids of both scans"
        got = error.anonymous if isinstance(error, LungregError) else type(error).__name__
        raise DataError(msg, got=got, mend="export the transform again") from error


def _grid(document: Mapping[str, Any]) -> Grid:
    x, y, z = (int(n) for n in document["shape"])
    return Grid(shape=(x, y, z), affine=RAS_TO_LPS @ _matrix(document["affine"]))


def _matrix(rows: Any) -> FloatArray:
    matrix = np.array(rows, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        msg = "an affine is a finite 4 x 4 matrix"
        raise DataError(msg, got=f"shape {matrix.shape}")
    return matrix
