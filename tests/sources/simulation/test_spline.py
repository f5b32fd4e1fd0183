"""Spline fields: on a grid, at points, at their nodes, and their Jacobian."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.sources.simulation.spline import SplineField, field_slabs, lattice_over, world_axes
from lungreg.spatial.geometry import Grid
from tests.sources.simulation.truth import jacobian


@pytest.fixture
def oblique_grid() -> Grid:
    """Turned, anisotropic, left-handed."""
    a = 0.4
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-2.0, 3.0, 5.0])
    affine[:3, 3] = (10.0, -300.0, 47.0)
    return Grid(shape=(23, 17, 12), affine=affine)


@pytest.fixture
def field(oblique_grid: Grid) -> SplineField:
    """A random spline over it."""
    lattice = lattice_over(oblique_grid, 12.0)
    values = np.random.default_rng(0).normal(0, 2, (3, *lattice.shape))
    return SplineField.through(values, lattice)


def test_grid_and_points_give_the_same_field(field: SplineField, oblique_grid: Grid) -> None:
    """Evaluating a field on a grid equals evaluating it at each voxel's centre."""
    slabs = list(field_slabs(field, oblique_grid))
    on_grid = np.concatenate([s.displacement_mm for s in slabs], axis=3)
    voxels = np.indices(oblique_grid.shape, dtype=float).reshape(3, -1).T
    at_points = field.at(oblique_grid.to_world(voxels)).T.reshape(on_grid.shape)
    np.testing.assert_allclose(on_grid, at_points, atol=1e-4)


def test_spline_takes_its_values_at_the_nodes(oblique_grid: Grid) -> None:
    """`through` interpolates."""
    lattice = lattice_over(oblique_grid, 12.0)
    values = np.random.default_rng(1).normal(0, 2, (3, *lattice.shape))
    nodes = lattice.to_world(np.indices(lattice.shape, dtype=float).reshape(3, -1).T)
    found = SplineField.through(values, lattice).at(nodes)
    np.testing.assert_allclose(found, values.reshape(3, -1).T, atol=1e-4)


def test_jacobian_equals_differences_of_the_map(field: SplineField, oblique_grid: Grid) -> None:
    """The closed form on an oblique grid equals finite differences on a 20 times finer one."""
    fine = Grid(shape=(3, 3, 3), affine=oblique_grid.affine @ np.diag([0.05, 0.05, 0.05, 1]))
    for voxel in ([3, 4, 5], [20, 1, 9], [11, 15, 2]):
        affine = np.array(fine.affine)
        centre = oblique_grid.to_world(np.array([voxel], dtype=float))[0]
        affine[:3, 3] = centre - affine[:3, :3] @ np.ones(3)
        around = Grid(shape=(3, 3, 3), affine=affine)
        points = around.to_world(np.indices((3, 3, 3), dtype=float).reshape(3, -1).T)
        local = field.at(points).T.reshape(3, 3, 3, 3)
        wanted = jacobian(local, around)[1, 1, 1]
        whole = np.concatenate([s.jacobian for s in field_slabs(field, oblique_grid)], axis=2)
        assert whole[tuple(voxel)] == pytest.approx(wanted, abs=2e-3)


def test_world_axes_are_the_grids(oblique_grid: Grid) -> None:
    """Coordinates of some planes equal the grid's own conversion."""
    axes = np.stack(world_axes(oblique_grid, slice(4, 7)))
    voxels = np.indices(oblique_grid.shape, dtype=float)[..., 4:7].reshape(3, -1).T
    np.testing.assert_allclose(axes.reshape(3, -1).T, oblique_grid.to_world(voxels), atol=1e-3)
