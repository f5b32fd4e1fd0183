"""The pieces that the truth rests on: splines, the inverse of breathing, tubes."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.sources.simulation import Anatomy, BreathingSettings
from lungreg.sources.simulation.breathing import draw_breathing
from lungreg.sources.simulation.chest import bottom_face, measure_chest
from lungreg.sources.simulation.spline import SplineField, field_slabs, lattice_over, world_axes
from lungreg.sources.simulation.tubes import Tubes, draw_tubes, sweep
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


def test_breathing_there_and_back(oblique_anatomy: Anatomy) -> None:
    """`to_fixed` inverts `to_moving` to a fiftieth of a millimetre inside the lungs."""
    a = oblique_anatomy
    chest = measure_chest(a.mask, a.grid)
    settings = BreathingSettings(diaphragm_mm=(45.0, 45.0))
    breathing = draw_breathing(np.random.default_rng(3), chest, a.grid, settings)
    back = breathing.to_moving(breathing.to_fixed(chest.points_ras))
    assert np.linalg.norm(back - chest.points_ras, axis=1).max() < 0.02
    expansion = breathing.expansion(breathing.to_fixed(chest.points_ras[::50]))
    assert expansion.min() > 0.5
    assert expansion.mean() > 1.15


def test_bottom_face_follows_the_affine() -> None:
    """The axis that runs along the body and its lower end are read from the affine."""
    upright = Grid(shape=(4, 5, 6), affine=np.diag([-2.0, -2.0, 3.0, 1.0]))
    assert bottom_face(upright) == (2, True)
    lying = np.array([[0, 2.0, 0, 0], [0, 0, 3.0, 0], [-2.5, 0, 0, 0], [0, 0, 0, 1]])
    assert bottom_face(Grid(shape=(4, 5, 6), affine=lying)) == (0, False)


def test_tube_fills_the_volume_of_a_cylinder(oblique_grid: Grid) -> None:
    """The share of voxels adds up to length times cross-section, within the rounded ends."""
    grid = oblique_grid.resized((60, 60, 60))
    centre = grid.centre_ras
    half = np.array([0.0, 0.0, 20.0])
    line = np.stack([centre - half, centre + half])
    points, radii = sweep(line, np.array([5.0, 5.0]), 0.5)
    tube = Tubes(points_ras=points, radius_mm=radii, forks_ras=np.empty((0, 3)))
    volume = draw_tubes(tube, grid).sum() * grid.voxel_volume_mm3
    assert volume == pytest.approx(np.pi * 25 * 40 + 4 / 3 * np.pi * 125, rel=0.06)
