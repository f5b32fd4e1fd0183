"""An affine map of the voxels of a grid, axis by axis: its sums are the places of all voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.spatial.geometry import FloatArray, Shape


class Lines(NamedTuple):
    """What each axis of a grid adds to the places of its voxels, and what they all share."""

    x: NDArray[np.float32]
    """(3, X)."""
    y: NDArray[np.float32]
    """(3, Y)."""
    z: NDArray[np.float32]
    """(3, Z)."""
    shift: NDArray[np.float32]
    """(3,)."""


def affine_lines(matrix: FloatArray, shape: Shape) -> Lines:
    """A (4, 4) map of the voxel coordinates of a grid of this shape."""
    x, y, z = (
        np.asarray(matrix[:3, k, None] * np.arange(n), dtype=np.float32)
        for k, n in enumerate(shape)
    )
    return Lines(x, y, z, np.asarray(matrix[:3, 3], dtype=np.float32))


def places_on(lines: Lines, start: int, stop: int, device: torch.device) -> Tensor:
    """The places of a slab of voxels along the first axis: (3, stop - start, Y, Z)."""
    parts = lines.x[:, start:stop, None, None], lines.y[:, None, :, None], lines.z[:, None, None]
    x, y, z = (torch.as_tensor(part, device=device) for part in parts)
    return x + y + z + torch.as_tensor(lines.shift, device=device).view(3, 1, 1, 1)
