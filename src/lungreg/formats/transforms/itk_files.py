"""The three files of a transform for other tools: forward, inverse, and the JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from lungreg.formats.transforms import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    describe_grid,
    describe_transform,
    encode_composite,
)
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Grid, Transform
from lungreg.spatial.inversion import Inverse, invert

FORWARD_FILE = "transform.h5"
INVERSE_FILE = "transform_inverse.h5"
DESCRIPTION_FILE = "transform.json"


def encode_transform_files(
    transform: Transform,
    *,
    fixed: Grid,
    moving: Grid,
    moving_lungs: NDArray[Any] | None,
    made: Mapping[str, Any],
    device: torch.device = CPU,
) -> dict[str, bytes]:
    """A transform and its inverse as ITK composites, and the JSON that says what they mean.

    Args:
        transform: From fixed to moving.
        fixed: Grid of the fixed scan.
        moving: Grid of the moving scan.
        moving_lungs: (X, Y, Z) on `moving`, positive inside: where the inverse must be close.
        made: How it was made; JSON values without case ids or paths.
        device: Where to invert.

    Returns:
        The bytes of `transform.h5`, `transform_inverse.h5` and `transform.json`.
    """
    inverse = invert(transform, moving, lungs=moving_lungs, device=device)
    description = {
        **describe_transform(transform, fixed=fixed, moving=moving, made=made),
        "files": {FORWARD_FILE: FIXED_TO_MOVING, INVERSE_FILE: MOVING_TO_FIXED},
        "order": "of a composite ITK applies the last transform first: the displacement, then A",
        "inverse": describe_inverse(inverse, in_lungs=moving_lungs is not None),
    }
    return {
        FORWARD_FILE: encode_composite(transform),
        INVERSE_FILE: encode_composite(inverse.transform),
        DESCRIPTION_FILE: json.dumps(description, indent=2).encode(),
    }


def describe_inverse(inverse: Inverse, *, in_lungs: bool) -> dict[str, Any]:
    """The part of the JSON about the inverse: its grid, and how far `T` after it misses in mm."""
    where = "the lungs of the moving scan" if in_lungs else "the moving scan"
    return {
        "formula": "T^-1(y) = A^-1(y + v(y))",
        "displacement_grid": describe_grid(inverse.transform.grid),
        "residual": "|T(T^-1(y)) - y| at a point in each voxel that lands in the fixed scan",
        "residual_in": where,
        "residual_voxels": inverse.voxels,
        "residual_mean_mm": inverse.residual_mean_mm,
        "residual_max_mm": inverse.residual_max_mm,
    }
