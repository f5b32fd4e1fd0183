"""One scan at a coarse resolution, and how it looks through an affine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.registration.alignment.scan import Scan
from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.displacement import CPU, sample
from lungreg.spatial.fused import field_on, is_fused
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.lines import affine_lines, places_on

IMAGE, LUNGS, SHOWN = 0, 1, 2
"""The channels of a coarse scan."""
_CONSTANT = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Coarse:
    """One scan at a coarse resolution."""

    channels: Tensor
    """(3, X, Y, Z) float32: the image from 0 to 1; the share of lung, 0 where no lungs are known;
    1 where the scan shows something."""
    grid: Grid

    @property
    def lung_points_ras(self) -> FloatArray:
        """(N, 3) centres of the voxels that are at least half lung; none where there are none."""
        where = np.argwhere(self.channels[LUNGS].numpy() >= 0.5)
        return self.grid.to_world(where.astype(np.float64))

    def through(self, affine: FloatArray, grid: Grid) -> Tensor:
        """(3, X, Y, Z) the channels at `affine(x)` for the voxels `x` of a grid; 0 beyond the scan.

        Args:
            affine: (4, 4) from RAS mm of the grid to RAS mm of this scan.
            grid: Where to look.
        """
        matrix = np.linalg.inv(self.grid.affine) @ affine @ grid.affine
        lines = affine_lines(matrix, grid.shape)
        if is_fused(CPU):
            return torch.from_numpy(field_on(self.channels.numpy(), lines, ends=True))
        places = places_on(lines, 0, grid.shape[0], CPU)
        size = torch.tensor(self.grid.shape).view(3, 1, 1, 1)
        inside = ((places >= -0.5) & (places <= size - 0.5)).all(dim=0)
        return sample(self.channels[None], places[None])[0] * inside


def coarse(scan: Scan, spacing_mm: float) -> Coarse:
    """A scan as means of blocks of about `spacing_mm`."""
    blocks = block_sizes(scan.grid, spacing_mm)
    image, grid = block_mean(scan.image, scan.grid, blocks)
    lungs, shown = np.zeros_like(image), _shown(image)
    if scan.lungs is not None:
        lungs, _ = block_mean(scan.lungs, scan.grid, blocks)
    if scan.shown is not None:
        shown *= block_mean(scan.shown, scan.grid, blocks)[0]
    return Coarse(channels=torch.from_numpy(np.stack([image, lungs, shown])), grid=grid)


def coarser(scan: Coarse, spacing_mm: float) -> Coarse:
    """A coarse scan as means of blocks of about `spacing_mm`."""
    blocks = block_sizes(scan.grid, spacing_mm)
    parts = [block_mean(channel, scan.grid, blocks) for channel in scan.channels.numpy()]
    return Coarse(channels=torch.from_numpy(np.stack([p for p, _ in parts])), grid=parts[0][1])


def _shown(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(X, Y, Z) 0 in outer slices of one value: padding shows nothing. Else 1."""
    shown = np.zeros_like(image)
    ranges = []
    for axis in range(3):
        others = tuple(k for k in range(3) if k != axis)
        varied = np.flatnonzero(np.ptp(image, axis=others) > _CONSTANT)
        ranges.append(slice(int(varied[0]), int(varied[-1]) + 1) if varied.size else slice(None))
    shown[tuple(ranges)] = 1
    return shown
