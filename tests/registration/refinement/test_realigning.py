"""The affine nearest to a transform, and a transform by another affine."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.registration.refinement.realigning import nearest_affine, with_affine
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Grid, Transform

SHAPE = (24, 20, 26)


def grid(centre_mm: float = 0.0) -> Grid:
    """Oblique voxels of some millimetres about a point."""
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, :3] = affine[:3, :3] @ np.diag([6.0, 6.0, 7.0])
    affine[:3, 3] = centre_mm - affine[:3, :3] @ (np.array(SHAPE) - 1) / 2
    return Grid(shape=SHAPE, affine=affine)


def pair(on: Grid, thickness: int = 20, *, lungs: bool = True, cut: int = 0) -> Pair:
    """A fixed scan with lungs of some slices, and a moving one without its lowest slices."""
    inside = np.zeros(SHAPE, dtype=np.uint8)
    inside[4:-4, 4:-4, 13 - thickness // 2 : 13 + (thickness + 1) // 2] = lungs
    wide = np.zeros((60, 60, 60 - cut), dtype=np.float32)
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    affine[:3, 3] = np.array([1000.0, -3.0, 8.0]) - 240 + [0, 0, 8 * cut]
    moving = Grid(shape=wide.shape, affine=affine)
    stored = Stored(dtype="int16")
    return Pair(
        case=Case(case_id="a", fixed="", moving=""),
        fixed=Volume(data=np.zeros(SHAPE, dtype=np.float32), grid=on, stored=stored),
        moving=Volume(data=wide, grid=moving, stored=stored),
        fixed_mask=inside,
        moving_mask=np.ones_like(wide, dtype=np.uint8),
    )


def wanted(centre_mm: float = 0.0) -> FloatArray:
    """A map with turns, scales and shears, to a world whose origin is elsewhere."""
    result = np.eye(4)
    result[:3, :3] = [[1.1, 0.05, 0.0], [-0.03, 0.95, 0.04], [0.02, 0.0, 1.25]]
    result[:3, 3] = (1000.0, -3.0, 8.0) - result[:3, :3] @ np.full(3, centre_mm)
    return result


def as_displacement(on: Grid, affine: FloatArray) -> Transform:
    """An affine as a displacement alone."""
    plain = Transform(affine=affine, displacement_mm=np.zeros((3, *SHAPE), np.float32), grid=on)
    start = np.eye(4)
    start[:3, 3] = affine[:3, 3]
    return with_affine(plain, start)


def voxels_ras(on: Grid) -> FloatArray:
    """(N, 3) all voxel centres."""
    return on.to_world(np.stack(np.indices(SHAPE), axis=-1).reshape(-1, 3))


@pytest.mark.parametrize("centre_mm", [0.0, -1500.0])
def test_another_affine_is_the_same_transform(centre_mm: float) -> None:
    """At the nodes to float32, wherever the origin lies."""
    on = grid(centre_mm)
    draws = np.random.default_rng(0)
    displacement = draws.normal(size=(3, *SHAPE)).astype(np.float32)
    transform = Transform(affine=wanted(centre_mm), displacement_mm=displacement, grid=on)
    other = np.eye(4)
    other[:3, 3] = transform.affine[:3, 3] + 4
    found = with_affine(transform, other)
    assert found.affine is other
    points = voxels_ras(on)
    np.testing.assert_allclose(
        transform_points(found, points), transform_points(transform, points), atol=1e-3
    )


@pytest.mark.parametrize("centre_mm", [0.0, -1500.0])
def test_an_affine_is_nearest_to_itself(centre_mm: float) -> None:
    """Whatever part of it is displacement, wherever the origin lies."""
    on = grid(centre_mm)
    found = nearest_affine(as_displacement(on, wanted(centre_mm)), pair(on))
    points = voxels_ras(on)
    there, expected = (points @ a[:3, :3].T + a[:3, 3] for a in (found, wanted(centre_mm)))
    np.testing.assert_allclose(there, expected, atol=0.01)


def test_a_part_that_moves_on_its_own_hardly_counts() -> None:
    """A tenth of the lungs is 30 mm away from where the rest is: least squares would give in."""
    on = grid()
    transform = as_displacement(on, wanted())
    displacement = transform.displacement_mm.copy()
    displacement[2, :, :, :5] -= 30
    moved = Transform(affine=transform.affine, displacement_mm=displacement, grid=on)
    found = nearest_affine(moved, pair(on))
    np.testing.assert_allclose(found, wanted(), atol=0.5)
    np.testing.assert_allclose(found[:3, :3], wanted()[:3, :3], atol=0.02)


def test_a_thin_slab_keeps_its_scale() -> None:
    """One slice of lung says nothing of a scale across it: the affine's own stays."""
    on = grid()
    transform = as_displacement(on, wanted())
    found = nearest_affine(transform, pair(on, thickness=1))
    assert found[:3, 2] == pytest.approx([0, 0, 1], abs=1e-3)
    np.testing.assert_allclose(found[:3, :2], wanted()[:3, :2], atol=1e-3)


def test_what_the_moving_scan_does_not_show_counts_for_nothing() -> None:
    """Half of the lungs are cut off, and the transform is nonsense there."""
    on = grid()
    transform = as_displacement(on, wanted())
    displacement = transform.displacement_mm.copy()
    displacement[0, :, :, :12] += 40
    odd = Transform(affine=transform.affine, displacement_mm=displacement, grid=on)
    cut, whole = (nearest_affine(odd, pair(on, cut=slices)) for slices in (32, 0))
    np.testing.assert_allclose(cut, wanted(), atol=0.01)
    assert np.abs(whole - wanted()).max() > 0.1


def test_scans_that_share_nothing_keep_the_affine() -> None:
    """The moving scan lies elsewhere."""
    on = grid()
    away = np.eye(4)
    away[:3, 3] = 5000
    transform = Transform(
        affine=away, displacement_mm=np.zeros((3, *SHAPE), dtype=np.float32), grid=on
    )
    assert nearest_affine(transform, pair(on)) is away
