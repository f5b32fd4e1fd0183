"""Places of estimated errors on a slice: where they lie, and the colour of their error."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.qc.colours import ERROR
from lungreg.qc.outlines import UNITS_PER_MM
from lungreg.qc.place_marks import NEAR_MM, WORST_MM, mark_places
from lungreg.qc.planes import Plane, lay_out
from lungreg.registration.correspondences import LandmarkEstimate
from lungreg.spatial.geometry import Grid
from tests.qc.test_planes import LPS, PERMUTED, rotation


def estimate(places, errors):
    places, errors = np.array(places, dtype=np.float64), np.array(errors, dtype=np.float64)
    return LandmarkEstimate(
        places_ras=places,
        partners_ras=places,
        errors_mm=errors,
        aligned_mm=errors,
        deep=np.ones(len(places), dtype=bool),
        shown=np.ones(len(places), dtype=bool),
    )


def grid_of(directions):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array([2.0, 3.0, 1.5])
    affine[:3, 3] = (5.0, -70.0, 30.0)
    return Grid(shape=(30, 30, 30), affine=affine)


@pytest.mark.parametrize("directions", [np.eye(3), LPS, PERMUTED, rotation(20)])
def test_a_place_lies_where_the_picture_shows_its_voxel(directions):
    """On every grid the circle's middle is that of the pixel that shows the voxel."""
    grid = grid_of(directions)
    rng = np.random.default_rng(0)
    for view in lay_out(grid, None).views:
        volume = np.zeros(grid.shape, dtype=np.float32)
        shown = np.argwhere(view.cut(np.arange(27_000, dtype=np.float32).reshape(grid.shape)) >= 0)
        row, column = shown[rng.integers(len(shown))]
        index = view.cut(np.arange(27_000, dtype=np.float32).reshape(grid.shape))[row, column]
        voxel = np.unravel_index(int(index), grid.shape)
        volume[voxel] = 1.0
        place = grid.to_world(np.array([voxel], dtype=np.float64))
        ((mark,),) = (group.marks for group in mark_places(view, estimate(place, [1.0])))
        height_mm, width_mm = view.pixel_mm
        assert mark.x / UNITS_PER_MM == pytest.approx((column + 0.5) * width_mm, abs=0.06)
        assert mark.y / UNITS_PER_MM == pytest.approx((row + 0.5) * height_mm, abs=0.06)


def test_colours_follow_the_error():
    """Each whole millimetre has its class and colour; beyond the scale all have the last one."""
    view = lay_out(grid_of(np.eye(3)), None).views[0]
    assert view.plane is Plane.CORONAL
    middle = view.canonical.to_world(np.array([[15.0, view.index, 15.0]]))
    errors = [0.4, 2.5, 7.99, 8.0, 30.0, np.nan]
    groups = mark_places(view, estimate(np.repeat(middle, len(errors), axis=0), errors))
    found = {group.kind: [mark.title for mark in group.marks] for group in groups}
    assert found == {
        "alone": ["no partner"],
        "mm0": ["0.4 mm"],
        "mm2": ["2.5 mm"],
        "mm7": ["8.0 mm"],
        "mm8": ["8.0 mm", "30.0 mm"],
    }
    colours = {group.kind: group.colour for group in groups}
    assert (colours["alone"], colours["mm0"], colours["mm8"]) == (
        "none",
        ERROR.anchors[0],
        ERROR.anchors[-1],
    )
    assert len(set(colours.values())) == len(colours)
    radii = [group.marks[0].radius for group in groups]
    assert radii[1:] == sorted(set(radii[1:]))
    assert WORST_MM == 8


def test_only_places_near_the_slice_and_inside_the_picture_are_drawn():
    """A place `NEAR_MM` in front of the slice is drawn, one beyond or outside is not."""
    grid = grid_of(np.eye(3))
    view = lay_out(grid, None).views[0]
    on = view.canonical.to_world(np.array([15.0, view.index, 15.0]))
    along, aside = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    places = [on, on + (NEAR_MM - 0.1) * along, on - (NEAR_MM + 0.1) * along, on + 100.0 * aside]
    groups = mark_places(view, estimate(places, [0.0, 1.0, 2.0, 3.0]))
    assert [group.kind for group in groups] == ["mm0", "mm1"]
    assert mark_places(view, None) == ()
