"""Grids, frames and transforms; axes, shapes and units; the direction of a registration.

The registration promise:

    The transform `T` maps a point of the fixed scan to the point of the moving scan that shows
    the same tissue: `T(x) = A(x + u(x))`, with `x` in the fixed scan's world coordinates (mm),
    `u` a displacement in mm given on a grid of the fixed scan, and `A` an affine, the initial
    alignment. The warped moving image is `moving(T(x))` sampled once, on the fixed scan's own
    grid.

Fixed is expiration and moving is inspiration, always named in that order. In memory, world
coordinates are NIfTI's (RAS+, mm); on disk, transforms and points are in ITK's (LPS+, mm).
Arrays of volumes have shape (X, Y, Z): axis `i` is voxel index `i` of the NIfTI affine. Arrays of
points have shape (N, 3). Displacements have shape (3, X, Y, Z).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError

FloatArray = NDArray[np.floating]
Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]
"""A part of a grid: the voxels kept along each axis."""

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MIN_DETERMINANT_MM3 = 1e-9


class Frame(Enum):
    """The coordinate system that points or vectors are given in."""

    VOXEL = "voxel"
    """Index coordinates of one grid: (0, 0, 0) is the centre of the first voxel."""
    RAS = "ras"
    """World, mm: left-to-Right, posterior-to-Anterior, inferior-to-Superior (NIfTI, nibabel)."""
    LPS = "lps"
    """World, mm: right-to-Left, anterior-to-Posterior, inferior-to-Superior (DICOM, ITK)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """A lattice of voxels in the world: a shape and an affine, without values."""

    shape: Shape
    """Number of voxels along each axis, (X, Y, Z)."""
    affine: FloatArray
    """(4, 4) float64, from voxel index to RAS world coordinates in mm."""

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            msg = "a grid has three sizes of at least 1"
            raise DataError(msg, got=shape)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            msg = "an affine is a finite 4 x 4 matrix"
            got = "NaN or infinity" if affine.shape == (4, 4) else f"shape {affine.shape}"
            raise DataError(msg, got=got, mend="write the file again with a valid header")
        if abs(np.linalg.det(affine[:3, :3])) < _MIN_DETERMINANT_MM3:
            msg = "an affine must be invertible, with no spacing of zero"
            raise DataError(msg, got="a singular one", mend="repair the header's spacing")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @property
    def spacing_mm(self) -> FloatArray:
        """(3,) distance between neighbouring voxel centres along each axis, in mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def directions(self) -> FloatArray:
        """(3, 3) unit vectors of the voxel axes in RAS, one per column."""
        return np.asarray(self.affine[:3, :3] / self.spacing_mm)

    @property
    def frame(self) -> FloatArray:
        """(3, 3) the orthonormal directions nearest to the voxel axes in RAS, one per column."""
        return nearest_orthogonal(self.directions)

    def axis_along(self, world: int) -> int:
        """The axis of voxels nearest to one of RAS: 0 left-right, 1 front-back, 2 feet-head."""
        return int(np.abs(self.directions[world]).argmax())

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in cubic mm."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def centre_ras(self) -> FloatArray:
        """(3,) centre of the grid's box in RAS mm."""
        middle = (np.array(self.shape, dtype=np.float64) - 1) / 2
        return self.to_world(middle[None]).reshape(3)

    def to_world(self, points_vox: FloatArray) -> FloatArray:
        """Voxel coordinates (N, 3) to RAS mm (N, 3)."""
        return apply_affine(self.affine, points_vox)

    def to_voxel(self, points_ras: FloatArray) -> FloatArray:
        """RAS mm (N, 3) to voxel coordinates (N, 3)."""
        return apply_affine(np.linalg.inv(self.affine), points_ras)

    def contains(self, points_ras: FloatArray) -> NDArray[np.bool_]:
        """(N,) which points lie in the box of the voxels, half a voxel beyond outer centres."""
        points_vox = self.to_voxel(points_ras)
        inside = (points_vox >= -0.5) & (points_vox <= np.array(self.shape) - 0.5)
        return np.asarray(inside.all(axis=1))

    def resized(self, shape: Shape) -> Grid:
        """The grid of another shape that fills the same box, voxel faces included."""
        ratio = np.array(self.shape, dtype=np.float64) / np.array(shape, dtype=np.float64)
        index = np.diag([*ratio, 1.0])
        index[:3, 3] = 0.5 * ratio - 0.5
        return Grid(shape=shape, affine=self.affine @ index)

    def cropped(self, box: Box) -> Grid:
        """The grid of the voxels in a box of this one."""
        parts = [part.indices(n) for part, n in zip(box, self.shape, strict=True)]
        affine = self.affine.copy()
        first = np.array([[start for start, _, _ in parts]], dtype=np.float64)
        affine[:3, 3] = self.to_world(first)[0]
        nx, ny, nz = (stop - start for start, stop, _ in parts)
        return Grid(shape=(nx, ny, nz), affine=affine)

    def corners_ras(self, box: Box | None = None) -> FloatArray:
        """(8, 3) centres of the corner voxels of the grid, or of a box in it, in RAS mm."""
        kept = box or (slice(None), slice(None), slice(None))
        parts = [part.indices(n) for part, n in zip(kept, self.shape, strict=True)]
        ends = [(float(start), float(stop - 1)) for start, stop, _ in parts]
        return self.to_world(np.array(np.meshgrid(*ends)).reshape(3, -1).T)

    def same_as(self, other: Grid, *, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have one shape and all their voxels within `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        gap = np.abs(self.corners_ras() - other.corners_ras())
        return bool(gap.max() <= tolerance_mm)


@dataclass(frozen=True, kw_only=True, eq=False)
class Transform:
    """The map `T(x) = A(x + u(x))` of one pair; see the promise at the top of this module."""

    affine: FloatArray
    """(4, 4) float64, `A`, from fixed RAS mm to moving RAS mm."""
    displacement_mm: NDArray[np.float32]
    """(3, X, Y, Z) float32, `u` at the nodes of `grid`: RAS components in mm. Between nodes it is
    linear, beyond the outer ones constant."""
    grid: Grid
    """Grid of `displacement_mm`, in the fixed scan's world."""

    def __post_init__(self) -> None:
        if self.displacement_mm.shape != (3, *self.grid.shape):
            msg = f"a displacement on this grid has shape {(3, *self.grid.shape)}"
            raise DataError(msg, got=self.displacement_mm.shape)


def affine_transform(affine: FloatArray, grid: Grid | None = None) -> Transform:
    """`T(x) = A(x)`: an affine as a transform whose displacement is zero everywhere.

    Args:
        affine: (4, 4) `A`, from fixed RAS mm to moving RAS mm.
        grid: Where the zero displacement is given; None for a grid of one voxel.
    """
    nodes = grid or Grid(shape=(1, 1, 1), affine=np.eye(4))
    nothing = np.zeros((3, *nodes.shape), dtype=np.float32)
    return Transform(affine=affine, displacement_mm=nothing, grid=nodes)


def nearest_orthogonal(matrix: FloatArray) -> FloatArray:
    """The orthogonal matrix nearest to a (3, 3) matrix: a rotation, or a mirrored one."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def nearest_affine(points: FloatArray, carried: FloatArray) -> FloatArray:
    """(4, 4) the affine map that carries points (N, 3) nearest to others (N, 3): least squares."""
    design = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    fitted, *_ = np.linalg.lstsq(design, carried, rcond=None)
    affine = np.eye(4)
    affine[:3] = fitted.T
    return affine


def cubic_grid(
    points_ras: FloatArray,
    frame: FloatArray,
    spacing_mm: float,
    *,
    margin_mm: float = 0.0,
    fewest: int = 1,
    anchor_ras: FloatArray | None = None,
    block: int = 1,
) -> Grid:
    """The grid of cubic voxels over the box around some points.

    Args:
        points_ras: (N, 3) RAS mm, at least one.
        frame: (3, 3) orthonormal directions of the axes, one per column.
        spacing_mm: Of the voxels.
        margin_mm: Width beyond the points on every side, at least.
        fewest: Voxels along each axis, at least.
        anchor_ras: (3,) The grid begins at a whole number of blocks from here: points that differ a
            little move its ends and not its voxels. It begins at the margin where there is none.
        block: Voxels of a block along each axis.
    """
    points = points_ras @ frame
    low, high = points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm
    if anchor_ras is not None:
        anchor, block_mm = anchor_ras @ frame, block * spacing_mm
        low = anchor + np.floor((low - anchor) / block_mm) * block_mm
    nx, ny, nz = (max(int(n) + 1, fewest) for n in np.ceil((high - low) / spacing_mm))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = frame * spacing_mm, frame @ low
    return Grid(shape=(nx, ny, nz), affine=affine)


def apply_affine(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Apply a (4, 4) affine to points (N, 3)."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def convert_points(
    points: FloatArray, source: Frame, target: Frame, *, grid: Grid | None = None
) -> FloatArray:
    """Convert points (N, 3) from one frame to another.

    Args:
        points: (N, 3) coordinates in `source`.
        source: The frame they are in.
        target: The frame wanted.
        grid: The grid whose voxels are meant; needed where either frame is `Frame.VOXEL`.

    Raises:
        DataError: A voxel frame without a grid.
    """
    if Frame.VOXEL in (source, target) and grid is None:
        msg = "voxel coordinates need the grid they index"
        raise DataError(msg)
    ras: FloatArray = np.asarray(points, dtype=np.float64)
    if source is Frame.VOXEL and grid is not None:
        ras = grid.to_world(ras)
    elif source is Frame.LPS:
        ras = flip_lps(ras)
    if target is Frame.VOXEL and grid is not None:
        return grid.to_voxel(ras)
    return flip_lps(ras) if target is Frame.LPS else ras


def flip_lps(points: FloatArray) -> FloatArray:
    """Points or vectors (N, 3) from RAS to LPS, or from LPS to RAS."""
    return np.asarray(points * np.array([-1.0, -1.0, 1.0]))


def affine_to_lps(matrix: FloatArray) -> FloatArray:
    """The map between LPS worlds that equals a (4, 4) map between RAS worlds, or the reverse."""
    return np.asarray(RAS_TO_LPS @ matrix @ RAS_TO_LPS)
