"""One varied pair with its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Grid, Transform
from tests.varied.scans import Scan

Truth = Callable[[FloatArray], NDArray[np.float64]]
"""Carries points (N, 3) of the fixed scan to those of the moving scan, both RAS mm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VariedCase:
    """A pair, its masks, its true transform and landmarks."""

    base: str
    trouble: str
    """A key of `TROUBLES` or of `WRONG`."""
    seed: int
    pair: Pair
    """Without masks and landmarks."""
    fixed_mask: NDArray[np.uint8]
    """(X, Y, Z) on the fixed grid, 1 in the lungs."""
    moving_mask: NDArray[np.uint8]
    """(U, V, W) on the moving grid, 1 in the lungs."""
    truth: Truth | None
    """None where no place of the moving scan shows the fixed scan's tissue."""
    landmarks_ras: NDArray[np.float64]
    """(N, 3) RAS mm of the fixed scan, inside the lungs that both scans show."""
    node_mm: float = 2.5
    """About how far apart the nodes of transforms are that are made from the truth."""

    @property
    def name(self) -> str:
        """Of the benchmark."""
        return f"varied-{self.base}-{self.trouble}-{self.seed}"

    @property
    def with_masks(self) -> Pair:
        """The pair with both masks."""
        return replace(self.pair, fixed_mask=self.fixed_mask, moving_mask=self.moving_mask)

    @property
    def with_landmarks(self) -> Pair:
        """The pair with masks and landmarks, as a case that is to be measured."""
        points = np.concatenate(
            [
                self.pair.fixed.grid.to_voxel(self.landmarks_ras),
                self.pair.moving.grid.to_voxel(self.true_moving(self.landmarks_ras)),
            ],
            axis=1,
        )
        return replace(self.with_masks, landmarks_vox=points)

    def true_moving(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """The truth of points (N, 3).

        Raises:
            ValueError: A pair without a truth.
        """
        if self.truth is None:
            msg = f"{self.trouble!r} pairs have no true transform"
            raise ValueError(msg)
        return self.truth(points_ras)

    def error_mm(self, transform: Transform) -> NDArray[np.float64]:
        """(N,) distance of `T` from the truth at the landmarks, mm."""
        found = transform_points(transform, self.landmarks_ras)
        return np.asarray(np.linalg.norm(found - self.true_moving(self.landmarks_ras), axis=1))

    def true_transform(self) -> Transform:
        """The truth sampled as a transform on `nodes`; at landmarks within some 0.1 mm of it."""
        return _sampled(self)

    def transform_from(self, displacement_mm: FloatArray, grid: Grid) -> Transform:
        """A total displacement (3, X, Y, Z) on nodes as a transform without an affine part."""
        values = np.ascontiguousarray(displacement_mm, dtype=np.float32)
        return Transform(affine=np.eye(4), displacement_mm=values, grid=grid)

    def nodes(self) -> Grid:
        """A grid of the fixed scan's box with nodes about `node_mm` apart."""
        fixed = self.pair.fixed.grid
        counts = np.maximum(2, np.ceil(np.array(fixed.shape) * fixed.spacing_mm / self.node_mm))
        nx, ny, nz = (int(n) for n in counts)
        return fixed.resized((nx, ny, nz))


@lru_cache(maxsize=2)
def _sampled(case: VariedCase) -> Transform:
    grid = case.nodes()
    points = grid.to_world(np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T)
    moved = case.true_moving(points) - points
    return case.transform_from(moved.T.reshape(3, *grid.shape), grid)


def make_volume(scan: Scan, offset: float = 0.0) -> Volume:
    """A scan as its file holds it, stored values being Hounsfield units plus an offset."""
    return Volume(data=scan.hu + np.float32(offset), grid=scan.grid, stored=Stored(dtype="int16"))


def make_pair(
    name: str, fixed: Scan, moving: Scan, offsets: tuple[float, float] = (0.0, 0.0)
) -> Pair:
    """Both scans in memory, as ingest leaves them: the offsets of stored values are known."""
    case = Case(
        case_id=name, fixed="", moving="", fixed_hu_offset=offsets[0], moving_hu_offset=offsets[1]
    )
    return Pair(
        case=case, fixed=make_volume(fixed, offsets[0]), moving=make_volume(moving, offsets[1])
    )
