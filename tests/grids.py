"""Awkward grids, and arrays on them as SimpleITK images."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.spatial.geometry import RAS_TO_LPS, Grid, Shape


def oblique_grid(
    shape: Shape,
    *,
    spacing_mm: tuple[float, float, float] = (2.0, 1.5, 3.0),
    angles_rad: tuple[float, float, float] = (0.2, -0.15, 0.3),
    axes: tuple[int, int, int] = (0, 1, 2),
    signs: tuple[float, float, float] = (-1.0, 1.0, 1.0),
    centre_ras: tuple[float, float, float] = (10.0, -20.0, 300.0),
) -> Grid:
    """A tilted, anisotropic grid around a centre.

    Args:
        shape: Voxels.
        spacing_mm: Of each voxel axis.
        angles_rad: Tilts about x, y and z.
        axes: Which world axis each voxel axis mostly runs along.
        signs: And which way.
        centre_ras: Of the grid's box, mm.
    """
    turn = np.eye(3)
    for axis, angle in enumerate(angles_rad):
        i, j = [n for n in range(3) if n != axis]
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    affine = np.eye(4)
    affine[:3, :3] = turn[:, list(axes)] * np.array(signs) * np.array(spacing_mm)
    affine[:3, 3] = centre_ras - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape=shape, affine=affine)


def voxels(grid: Grid) -> NDArray[np.float64]:
    """(N, 3) voxel coordinates of a whole grid."""
    return np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T


def to_sitk(values: NDArray[Any], grid: Grid) -> sitk.Image:
    """(X, Y, Z) or (3, X, Y, Z) as an image in LPS; vectors are taken as RAS components."""
    lps = RAS_TO_LPS @ grid.affine
    if values.ndim == 4:
        signed = values.astype(np.float64) * np.array([-1.0, -1.0, 1.0])[:, None, None, None]
        image = sitk.GetImageFromArray(signed.transpose(3, 2, 1, 0), isVector=True)
    else:
        image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetSpacing(grid.spacing_mm.tolist())
    image.SetDirection((lps[:3, :3] / grid.spacing_mm).ravel().tolist())
    return image


def from_sitk(image: sitk.Image) -> NDArray[Any]:
    """(X, Y, Z) values of an image."""
    return np.asarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))


def affine_to_sitk(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    """A (4, 4) map between RAS worlds as ITK's between LPS worlds."""
    lps = RAS_TO_LPS @ matrix @ RAS_TO_LPS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def blob(grid: Grid, centre_ras: NDArray[np.float64], sigma_mm: float) -> NDArray[np.float32]:
    """(X, Y, Z) a Gaussian of height 1 around a point."""
    gap_mm = np.linalg.norm(grid.to_world(voxels(grid)) - centre_ras, axis=1)
    height = np.exp(-0.5 * (gap_mm / sigma_mm) ** 2)
    return np.asarray(height.reshape(grid.shape), dtype=np.float32)


def centre_of_mass(values: NDArray[Any], *, above: float = 0.02) -> NDArray[np.float64]:
    """(3,) voxel coordinates of the centre of what lies above a threshold."""
    weights = np.where(values > above, values, 0.0).astype(np.float64)
    index = np.indices(values.shape, dtype=np.float64)
    return np.asarray((index * weights).sum(axis=(1, 2, 3)) / weights.sum())
