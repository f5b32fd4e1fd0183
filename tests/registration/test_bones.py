"""Bones keep their size: what a transform does to them is what a header does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.registration.bones import bone_change
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Grid, Transform, affine_transform
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def twice() -> Pair:
    """One scan as both."""
    pair = as_pair(simulated())
    return replace(pair, moving=pair.fixed, moving_mask=pair.fixed_mask)


def resized(pair: Pair, factors: tuple[float, float, float]) -> Pair:
    """The moving scan with voxels that its header calls larger."""
    return under(pair, np.diag([*factors, 1.0]))


def under(pair: Pair, change: NDArray[np.float64]) -> Pair:
    """The moving scan whose header is changed."""
    grid = Grid(shape=pair.moving.grid.shape, affine=change @ pair.moving.grid.affine)
    return replace(pair, moving=replace(pair.moving, grid=grid))


@pytest.mark.parametrize(
    ("factors", "stretch"),
    [
        ((1.0, 1.0, 1.2), 1.2),
        ((1.0, 0.8, 1.0), 0.8),
        ((1.1, 1.1, 1.1), 1.1),
        ((1.0, 1.0, 1.0), 1.0),
    ],
)
def test_the_factors_of_a_header_are_found(
    factors: tuple[float, float, float], stretch: float
) -> None:
    """Exactly, where `T` is the change of the header."""
    found = bone_change(resized(twice(), factors), affine_transform(np.diag([*factors, 1.0])))
    assert found is not None
    assert found.stretch == pytest.approx(stretch, rel=1e-6)
    assert found.volume_ratio == pytest.approx(np.prod(factors), rel=1e-6)
    assert found.lengths == pytest.approx(factors, rel=1e-6)


def slab(pair: Pair, planes: slice) -> Pair:
    """Some slices of one scan as both."""
    part = slice(None), slice(None), planes
    grid = pair.fixed.grid.cropped(part)
    cut = replace(pair.fixed, data=pair.fixed.data[part], grid=grid)
    assert pair.fixed_mask is not None
    mask = pair.fixed_mask[part]
    return replace(pair, fixed=cut, moving=cut, fixed_mask=mask, moving_mask=mask)


def test_a_few_slices_tell_of_the_directions_in_them() -> None:
    """Over 52 mm of height bones say nothing of the height; across, all."""
    factors = (0.85, 0.85, 1.0)
    pair = resized(slab(twice(), slice(22, 32)), factors)
    found = bone_change(pair, affine_transform(np.diag([*factors, 1.0])))
    assert found is not None
    assert found.stretch == pytest.approx(0.85, rel=1e-3)
    assert found.volume_ratio == pytest.approx(0.85**3, rel=1e-2)
    higher = affine_transform(np.diag([1.0, 1.0, 1.4, 1.0]))
    flat = bone_change(resized(slab(twice(), slice(22, 32)), (1.0, 1.0, 1.4)), higher)
    assert flat is not None
    assert flat.stretch == pytest.approx(1, abs=0.02)


def test_a_turned_patient_keeps_the_size() -> None:
    """A rotation is no stretch."""
    turn = np.eye(4)
    turn[:3, :3] = [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]
    found = bone_change(under(twice(), turn), affine_transform(turn))
    assert found is not None
    assert found.stretch == pytest.approx(1, abs=1e-9)


def test_a_breath_hardly_changes_bones() -> None:
    """The lungs grow by more than a tenth; the bones by a few hundredths."""
    made = simulated()
    truth = Transform(affine=np.eye(4), displacement_mm=made.displacement_mm, grid=made.fixed_grid)
    found = bone_change(as_pair(made), truth)
    assert found is not None
    assert 0.95 < found.stretch < 1.1
    assert 0.95 < found.volume_ratio < 1.15


def test_points_that_do_not_follow_are_left_out() -> None:
    """A quarter of the field is 40 mm off."""
    pair = twice()
    field = np.zeros((3, *pair.fixed.grid.shape), dtype=np.float32)
    field[0, : pair.fixed.grid.shape[0] // 4] = 40.0
    torn = Transform(affine=np.eye(4), displacement_mm=field, grid=pair.fixed.grid)
    found = bone_change(pair, torn)
    assert found is not None
    assert found.stretch == pytest.approx(1, abs=0.01)


def test_nothing_is_known_where_bones_are_missed() -> None:
    """A transform that is 80 mm off, a scan without bone, a scan without lungs."""
    pair = twice()
    away = np.eye(4)
    away[:3, 3] = (0, 80, 0)
    still = affine_transform(np.eye(4))
    soft = replace(pair.fixed, data=np.minimum(pair.fixed.data, 100))
    water = replace(pair.fixed, data=np.zeros_like(pair.fixed.data))
    assert bone_change(pair, affine_transform(away)) is None
    assert bone_change(replace(pair, fixed=soft), still) is None
    assert bone_change(replace(pair, fixed=water, fixed_mask=None), still) is None


def test_ribs_that_are_mistaken_for_their_neighbours_show_in_the_misfit() -> None:
    """The lower half is carried 20 mm along the body: no affine transform does that."""
    pair = twice()
    field = np.zeros((3, *pair.fixed.grid.shape), dtype=np.float32)
    field[2, :, :, : pair.fixed.grid.shape[2] // 2] = 20.0
    found = bone_change(
        pair, Transform(affine=np.eye(4), displacement_mm=field, grid=pair.fixed.grid)
    )
    assert found is not None
    assert found.misfit_mm > 3
