"""An affine, a smooth displacement and a scan on oblique grids of different sizes and axes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from lungreg.spatial.geometry import Grid, Transform
from tests.grids import affine_to_sitk, oblique_grid, to_sitk, voxels

FIXED = oblique_grid((22, 18, 16))
MOVING = oblique_grid(
    (20, 26, 24),
    spacing_mm=(2.6, 2.0, 1.7),
    angles_rad=(-0.3, 0.25, 0.1),
    axes=(2, 0, 1),
    signs=(1.0, -1.0, 1.0),
    centre_ras=(12.0, -18.0, 301.0),
)
FIELD = FIXED.resized((11, 6, 8))


def some_affine() -> np.ndarray:
    """A turn, a scale and a shift about the fixed scan's centre."""
    angle = 0.1
    linear = np.diag([1.05, 0.95, 1.1]) @ np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = FIXED.centre_ras + np.array([1.0, -2.0, 0.5]) - linear @ FIXED.centre_ras
    return matrix


def smooth_field(grid: Grid, *, size_mm: float = 4.0) -> np.ndarray:
    """(3, X, Y, Z) waves of the world, another for each component."""
    x, y, z = (grid.to_world(voxels(grid)) - FIXED.centre_ras).T / 15.0
    waves = np.stack([np.sin(x + 0.3 * y), np.cos(y - z), np.sin(z) * np.cos(x)])
    return (size_mm * waves).reshape(3, *grid.shape).astype(np.float32)


def some_transform() -> Transform:
    """An affine and a field on a coarse grid over the fixed scan's box."""
    return Transform(affine=some_affine(), displacement_mm=smooth_field(FIELD), grid=FIELD)


def itk_transform(transform: Transform) -> sitk.CompositeTransform:
    """The same map in ITK: of a composite, the last transform is applied first."""
    field = sitk.DisplacementFieldTransform(to_sitk(transform.displacement_mm, transform.grid))
    return sitk.CompositeTransform([affine_to_sitk(transform.affine), field])


def smooth_scan(grid: Grid) -> np.ndarray:
    """Hundreds of Hounsfield units, varying slowly."""
    x, y, z = (grid.to_world(voxels(grid)) - FIXED.centre_ras).T / 20.0
    values = -500 + 300 * np.sin(x) * np.cos(y) + 200 * np.cos(z + 0.5)
    return values.reshape(grid.shape).astype(np.float32)
