"""Bends that the inverse could not follow are smoothed, and nothing else is."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import make_interp_spline

from lungreg.registration.refinement.polish import Symmetric, polished, smallest_eigenvalue
from lungreg.spatial.geometry import Grid, Transform
from tests.grids import oblique_grid

SPACING_MM = 4.0


def along_x(u_mm: np.ndarray) -> Transform:
    """A displacement along the first axis of an oblique grid of 4 mm, that depends on it alone."""
    grid = Grid(shape=(len(u_mm), 8, 9), affine=np.eye(4))
    turned = oblique_grid(grid.shape).directions
    affine = np.eye(4)
    affine[:3, :3] = SPACING_MM * turned
    values = np.broadcast_to(turned[:, 0, None, None, None] * u_mm[:, None, None], (3, *grid.shape))
    return Transform(
        affine=np.eye(4),
        displacement_mm=np.ascontiguousarray(values, dtype=np.float32),
        grid=Grid(shape=grid.shape, affine=affine),
    )


def change_mm(transform: Transform) -> float:
    """The largest change at the nodes."""
    kept = polished(transform).displacement_mm[:, ::2, ::2, ::2]
    return float(np.abs(kept - transform.displacement_mm).max())


def test_gentle_motion_is_kept() -> None:
    """A smooth wave of 3 mm goes through the nodes unchanged, on half their spacing."""
    wave = along_x(3 * np.sin(np.arange(24) / 6))
    fine = polished(wave)
    assert fine.grid.shape == (47, 15, 17)
    np.testing.assert_allclose(fine.grid.spacing_mm, SPACING_MM / 2)
    assert change_mm(wave) < 1e-4


def test_between_the_nodes_it_is_the_cubic_spline_through_them() -> None:
    """Of scipy, along each axis in turn; three nodes have a parabola."""
    wave = along_x(3 * np.sin(np.arange(24) / 6))
    values = np.random.default_rng(0).normal(scale=0.05, size=(3, 9, 3, 7)).astype(np.float32)
    grid = wave.grid.resized((9, 3, 7))
    expected = values
    for axis, degree in ((1, 3), (2, 2), (3, 3)):
        nodes = np.arange(expected.shape[axis])
        spline = make_interp_spline(nodes, expected, k=degree, axis=axis)
        expected = spline(np.arange(2 * len(nodes) - 1) / 2)
    found = polished(Transform(affine=np.eye(4), displacement_mm=values, grid=grid))
    np.testing.assert_allclose(found.displacement_mm, expected, atol=1e-6)


def test_a_kink_is_smoothed() -> None:
    """A jump of the slope by 3 mm a node is more than any inverse grid follows."""
    kink = along_x(np.where(np.arange(24) > 12, 3.0 * (np.arange(24) - 12), 0.0))
    assert change_mm(kink) > 0.3


def test_the_same_bend_counts_for_more_where_tissue_is_pressed_together() -> None:
    """A bend of 0.5 mm is kept where tissue keeps its size, not where it is pressed to a third."""
    bend = np.where(np.arange(24) > 12, 0.5 * (np.arange(24) - 12), 0.0)
    pressed = bend - 0.72 * SPACING_MM * np.arange(24)
    assert change_mm(along_x(bend)) < 1e-4
    assert change_mm(along_x(pressed)) > 0.05


def test_smallest_eigenvalues_are_those_of_numpy() -> None:
    """Of any symmetric matrices, multiples of the identity too."""
    values = np.random.default_rng(3).normal(size=(500, 3, 3))
    matrices = (values + values.transpose(0, 2, 1)).astype(np.float32)
    matrices[:2] = np.eye(3) * 2, np.zeros((3, 3))
    expected = np.linalg.eigvalsh(matrices)[:, 0]
    found = smallest_eigenvalue(Symmetric(*matrices[:, *np.triu_indices(3)].T))
    np.testing.assert_allclose(found, expected, atol=1e-4)
