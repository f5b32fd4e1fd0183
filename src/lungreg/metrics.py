"""What is reported of a registered pair, as functions of arrays.

Images and masks are on the fixed scan's grid. An input without which a measure has no meaning (an
empty fixed mask, arrays of different shapes) is a `DataError`; what a bad registration leaves
undefined (no voxel of the moving mask arrived) is `None`, as in the result table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, find_objects
from scipy.spatial import cKDTree

from lungreg.errors import DataError
from lungreg.geometry import FloatArray, Grid

BoolArray = NDArray[np.bool_]
Box = tuple[slice, ...]

_SSIM_SIGMA_VOX = 1.5
_SSIM_RADIUS_VOX = 5
_SSIM_C1 = 0.01**2
_SSIM_C2 = 0.03**2
_SMALLEST_DETERMINANT = 1e-9


class JacobianSummary(NamedTuple):
    """How a transform changes volume inside the fixed lungs."""

    fold_pct: float
    """Share of voxels whose determinant is not above zero, %."""
    minimum: float
    """Smallest determinant."""
    maximum: float
    """Largest determinant."""
    sdlogj: float | None
    """Standard deviation of the natural logarithm of the determinants above zero; None where
    there is none."""


class LandmarkSummary(NamedTuple):
    """Target registration error of one pair."""

    mean_mm: float
    median_mm: float


def dice(fixed: BoolArray, moving: BoolArray) -> float:
    """Dice coefficient `2 |F n M| / (|F| + |M|)` (Dice 1945), 0 to 1.

    Args:
        fixed: (X, Y, Z) bool.
        moving: (X, Y, Z) bool, on the fixed grid.

    Raises:
        DataError: Shapes differ, or both masks are empty.
    """
    _same_shape(fixed, moving)
    total = int(np.count_nonzero(fixed)) + int(np.count_nonzero(moving))
    if total == 0:
        msg = "the Dice of two masks needs a voxel in one of them"
        raise DataError(msg, got="two empty masks")
    return 2.0 * int(np.count_nonzero(fixed & moving)) / total


def hd95_mm(fixed: BoolArray, moving: BoolArray, grid: Grid) -> float | None:
    """95th percentile Hausdorff distance of two masks' surfaces, in mm.

    The larger of the two directed 95th percentiles, as in MONAI's
    `compute_hausdorff_distance(percentile=95)`. A surface voxel has one of its six neighbours
    outside the mask or outside the grid; distances are between voxel centres in the world, so
    that anisotropic, oblique and sheared grids are measured rightly.

    Args:
        fixed: (X, Y, Z) bool.
        moving: (X, Y, Z) bool, on the fixed grid.
        grid: The fixed grid.

    Returns:
        Distance in mm, or None where `moving` is empty.

    Raises:
        DataError: Shapes differ, or the fixed mask is empty.
    """
    _same_shape(fixed, moving)
    _not_empty(fixed)
    if not moving.any():
        return None
    box = _box(fixed | moving, margin=0)
    surfaces = _surface(fixed[box]), _surface(moving[box])
    there = _directed_percentile(surfaces[0], surfaces[1], grid)
    back = _directed_percentile(surfaces[1], surfaces[0], grid)
    return max(there, back)


def ssim(fixed: FloatArray, warped: FloatArray, mask: BoolArray) -> float:
    """Structural similarity (Wang et al. 2004), mean over a mask.

    Gaussian window of 11 taps and sigma 1.5 voxels along each axis, K1 0.01, K2 0.03, data range
    1: MONAI's `SSIMMetric(spatial_dims=3)`, filtered axis by axis. Only the sum of both variances
    enters the formula, so four filtered images suffice instead of five. At the edges of the
    volume the images are mirrored.

    Args:
        fixed: (X, Y, Z) in [0, 1].
        warped: (X, Y, Z) in [0, 1].
        mask: (X, Y, Z) bool, where the map is averaged.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    _same_shape(fixed, warped, mask)
    _not_empty(mask)
    box = _box(mask, margin=_SSIM_RADIUS_VOX)
    x = np.asarray(fixed[box], dtype=np.float32)
    y = np.asarray(warped[box], dtype=np.float32)
    inside = mask[box]
    mean_x, mean_y = _smooth(x)[inside], _smooth(y)[inside]
    product = _smooth(x * y)[inside]
    squares = _smooth(x * x + y * y)[inside]
    cross = mean_x * mean_y
    mean_squares = mean_x * mean_x + mean_y * mean_y
    structure = (2 * (product - cross) + _SSIM_C2) / (squares - mean_squares + _SSIM_C2)
    luminance = (2 * cross + _SSIM_C1) / (mean_squares + _SSIM_C1)
    return float(np.mean(luminance * structure, dtype=np.float64))


def ncc(fixed: FloatArray, warped: FloatArray, mask: BoolArray) -> float | None:
    """Pearson correlation of the intensities inside a mask, -1 to 1.

    Args:
        fixed: (X, Y, Z).
        warped: (X, Y, Z).
        mask: (X, Y, Z) bool.

    Returns:
        The correlation, or None where either image is constant inside the mask.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    _same_shape(fixed, warped, mask)
    _not_empty(mask)
    x, y = fixed[mask].astype(np.float64), warped[mask].astype(np.float64)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    x -= x.mean()
    y -= y.mean()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def jacobian_summary(jacobian: FloatArray, mask: BoolArray) -> JacobianSummary:
    """Folding and volume change inside a mask.

    A determinant that is zero, negative or not a number is folded. `sdlogj` is over the
    determinants above zero alone, clipped below at 1e-9, so that folds show in `fold_pct` and
    not as an arbitrary logarithm.

    Args:
        jacobian: (X, Y, Z) determinant of the Jacobian of `T` in the world.
        mask: (X, Y, Z) bool, the fixed lungs.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    _same_shape(jacobian, mask)
    _not_empty(mask)
    values = jacobian[mask].astype(np.float64)
    positive = values[values > 0]
    logarithms = np.log(np.maximum(positive, _SMALLEST_DETERMINANT))
    return JacobianSummary(
        fold_pct=100.0 * (values.size - positive.size) / values.size,
        minimum=float(values.min()),
        maximum=float(values.max()),
        sdlogj=float(logarithms.std()) if positive.size else None,
    )


def landmark_errors_mm(moved_ras: FloatArray, target_ras: FloatArray) -> NDArray[np.float64]:
    """(N,) distance between each carried landmark and its partner, in mm.

    Args:
        moved_ras: (N, 3) fixed landmarks carried by `T`, RAS mm.
        target_ras: (N, 3) the moving landmarks, RAS mm.

    Raises:
        DataError: The lists differ in length or are not (N, 3).
    """
    if moved_ras.ndim != 2 or moved_ras.shape[1] != 3 or moved_ras.shape != target_ras.shape:
        msg = "landmarks are two lists of one shape (N, 3)"
        raise DataError(msg, got=f"{moved_ras.shape} and {target_ras.shape}")
    difference = np.asarray(moved_ras, dtype=np.float64) - target_ras
    return np.asarray(np.linalg.norm(difference, axis=1))


def landmark_summary(errors_mm: FloatArray) -> LandmarkSummary:
    """Mean and median of landmark errors (N,) in mm.

    Raises:
        DataError: There is no landmark.
    """
    if errors_mm.size == 0:
        msg = "a landmark error needs at least one landmark"
        raise DataError(msg, got="none")
    return LandmarkSummary(float(np.mean(errors_mm)), float(np.median(errors_mm)))


def _same_shape(*arrays: NDArray[Any]) -> None:
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1 or len(shapes[0]) != 3:
        msg = "images and masks that are compared have one shape (X, Y, Z)"
        raise DataError(msg, got=" and ".join(map(str, shapes)))


def _not_empty(mask: BoolArray) -> None:
    if not mask.any():
        msg = "the mask that a measure is taken in has at least one voxel"
        raise DataError(msg, got="an empty mask")


def _box(mask: BoolArray, *, margin: int) -> Box:
    (tight,) = find_objects(mask.view(np.uint8))
    return tuple(slice(max(0, part.start - margin), part.stop + margin) for part in tight)


def _surface(mask: BoolArray) -> BoolArray:
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(3):
        for start in (0, 2):
            part = [slice(1, -1)] * 3
            part[axis] = slice(start, start + mask.shape[axis])
            inner &= padded[tuple(part)]
    return np.asarray(mask & ~inner)


def _directed_percentile(source: BoolArray, target: BoolArray, grid: Grid) -> float:
    """95th percentile over `source` of the distance to `target`, in mm."""
    axes = grid.affine[:3, :3].T
    distances = np.zeros(int(np.count_nonzero(source)))
    # Shared surface voxels have distance 0: only the others are worth a search.
    apart = ~target[source]
    tree = cKDTree(np.argwhere(target) @ axes)
    distances[apart], _ = tree.query(np.argwhere(source & ~target) @ axes, workers=1)
    return float(np.percentile(distances, 95))


def _smooth(image: NDArray[np.float32]) -> NDArray[np.float32]:
    offsets = np.arange(-_SSIM_RADIUS_VOX, _SSIM_RADIUS_VOX + 1)
    kernel = np.exp(-0.5 * (offsets / _SSIM_SIGMA_VOX) ** 2)
    kernel /= kernel.sum()
    for axis in range(3):
        image = correlate1d(image, kernel, axis=axis, mode="mirror")
    return image
