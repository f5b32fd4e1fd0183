"""Scans of other voxels are made alike: variances of a point that is blurred, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.intensity import tissue_for_grid
from lungreg.spatial.carrying import PaddedScan
from lungreg.spatial.geometry import FloatArray, Grid

SHAPE = (41, 41, 41)
THIN = Grid(shape=SHAPE, affine=np.eye(4))
THICK = Grid(shape=(41, 41, 9), affine=np.diag([1.0, 1.0, 5.0, 1.0]))


def variances_mm2(beside: Grid, spacing_mm: float = 1.0) -> FloatArray:
    """(3,) variance along each axis of a point of a scan, blurred for a grid and another scan."""
    values = np.full(SHAPE, -1000.0, dtype=np.float32)
    values[20, 20, 20] = 200.0
    scan = PaddedScan(values=values, grid=THIN, shown=None)
    grid = Grid(shape=SHAPE, affine=np.diag([spacing_mm] * 3 + [1.0]))
    weights = tissue_for_grid(scan, grid, beside=beside).values.astype(np.float64) + 1000.0
    places = np.indices(SHAPE) - 20.0
    return (places**2 * weights).sum(axis=(1, 2, 3)) / weights.sum()


def test_thin_slices_are_blurred_as_thick_ones_are() -> None:
    """Along them alone, by the variance of a box of 5 mm less that of a box of 1 mm."""
    np.testing.assert_allclose(variances_mm2(THICK), [0, 0, (25 - 1) / 12], atol=0.06)


def test_axes_in_another_order_are_followed() -> None:
    """Slices of 5 mm along the first axis of a scan that is stored the other way round."""
    affine = np.eye(4)
    affine[:3, :3] = [[0, 0, -5.0], [0, 1.0, 0], [1.0, 0, 0]]
    turned = Grid(shape=(41, 41, 9), affine=affine)
    np.testing.assert_allclose(variances_mm2(turned), [(25 - 1) / 12, 0, 0], atol=0.06)


@pytest.mark.parametrize("degrees", [10.0, 30.0])
def test_tilted_slices_blur_by_their_variance_along_each_axis(degrees: float) -> None:
    """That of the tilted box: c² cos² + s² sin²."""
    turn = np.radians(degrees)
    sine, cosine = np.sin(turn), np.cos(turn)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ np.diag(
        [1, 1, 5.0]
    )
    found = variances_mm2(Grid(shape=(41, 41, 9), affine=affine))
    expected = [
        0,
        (cosine**2 + 25 * sine**2 - 1) / 12,
        (sine**2 + 25 * cosine**2 - 1) / 12,
    ]
    np.testing.assert_allclose(found, expected, atol=0.06)


def test_the_grid_and_the_other_scan_add_up() -> None:
    """Variances of two blurs do."""
    alone, both = variances_mm2(THIN, spacing_mm=3.0), variances_mm2(THICK, spacing_mm=3.0)
    np.testing.assert_allclose(alone, [2.0] * 3, atol=0.06)
    np.testing.assert_allclose(both - alone, [0, 0, 2.0], atol=0.12)


def test_scans_of_the_same_or_finer_voxels_change_nothing() -> None:
    """No voxel of a scan is blurred for a sharper one."""
    fine = Grid(shape=SHAPE, affine=np.diag([0.5, 0.5, 0.5, 1.0]))
    for beside in (THIN, fine):
        np.testing.assert_allclose(variances_mm2(beside), [0, 0, 0], atol=1e-9)
