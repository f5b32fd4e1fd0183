"""Tubes: vessels, airways and ribs as points with a radius, and their share of each voxel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungreg.sources.simulation.spline import Float32
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.slabs import slabs

_POINTS_AT_ONCE = 500_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Tubes:
    """Centre lines as dense points."""

    points_ras: FloatArray
    """(N, 3) RAS mm, closer together than the radius."""
    radius_mm: FloatArray
    """(N,)."""
    forks_ras: FloatArray
    """(F, 3) where tubes part, RAS mm."""

    def moved(
        self, carry: Callable[[FloatArray], NDArray[np.float64]], *, widening: float = 1.0
    ) -> Tubes:
        """The same tubes with every point carried elsewhere, radii times `widening`."""
        return Tubes(
            points_ras=carry(self.points_ras),
            radius_mm=self.radius_mm * widening,
            forks_ras=carry(self.forks_ras),
        )


def sweep(line: FloatArray, radius_mm: FloatArray, step_mm: float) -> tuple[FloatArray, FloatArray]:
    """Points about `step_mm` apart along a line.

    Args:
        line: (N, 3) corners, mm.
        radius_mm: (N,) at the corners.
        step_mm: Largest distance between points.

    Returns:
        Points (M, 3) and their radii (M,).
    """
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    places = np.linspace(0.0, length[-1], max(2, int(np.ceil(length[-1] / step_mm)) + 1))
    points = np.stack([np.interp(places, length, c) for c in line.T], axis=1)
    return points, np.interp(places, length, radius_mm)


def draw_tubes(tubes: Tubes, grid: Grid) -> Float32:
    """Share (X, Y, Z) of each voxel that tubes fill, 0 to 1; thinner than a voxel means less."""
    share = np.zeros(grid.shape, dtype=np.float32)
    width = np.float32(grid.voxel_volume_mm3 ** (1 / 3))
    classes = np.ceil(tubes.radius_mm / width).astype(int)
    for size in np.unique(classes):
        of_size = classes == size
        _stamp(share, grid, tubes.points_ras[of_size], tubes.radius_mm[of_size], width)
    return share


def _stamp(
    share: Float32, grid: Grid, points_ras: FloatArray, radius_mm: FloatArray, width: np.float32
) -> None:
    """Put balls of similar radius into `share`, keeping the largest value."""
    reach = np.ceil((radius_mm.max() + width) / grid.spacing_mm).astype(int)
    box = [np.arange(-r, r + 1) for r in reach]
    offsets = np.stack(np.meshgrid(*box, indexing="ij"), axis=-1).reshape(-1, 3)
    flat = share.reshape(-1)
    for start, stop in slabs((len(points_ras), len(offsets)), _POINTS_AT_ONCE):
        part = slice(start, stop)
        centre_vox = grid.to_voxel(points_ras[part])
        nearest = np.rint(centre_vox).astype(int)
        voxels = nearest[:, None, :] + offsets
        gap_mm = (voxels - centre_vox[:, None, :]).astype(np.float32) @ (
            grid.affine[:3, :3].T.astype(np.float32)
        )
        distance = np.sqrt(np.einsum("pqi,pqi->pq", gap_mm, gap_mm))
        radius = radius_mm[part].astype(np.float32)[:, None]
        thin = np.minimum(1, (np.float32(2.2) * radius / width) ** 2)
        cover = np.clip(0.5 + (radius - distance) / width, 0, 1) * thin
        seen = ((voxels >= 0) & (voxels < np.array(grid.shape))).all(axis=2) & (cover > 0)
        index = np.ravel_multi_index(tuple(voxels[seen].T), grid.shape)
        np.maximum.at(flat, index, cover[seen])
