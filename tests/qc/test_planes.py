"""Slices of a case: where they lie, and how they lie on the screen."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.qc.planes import MARGIN_MM, lay_out
from lungreg.spatial.geometry import Grid
from tests.qc.phantom import phantom_case

LPS = np.diag([-1.0, -1.0, 1.0])
PERMUTED = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Columns: the first axis runs anterior, the second inferior, the third left."""


def rotation(degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def permuted_shape(shape, directions):
    return tuple(int(n) for n in np.abs(directions.T @ np.array(shape)).round())


@pytest.mark.parametrize("directions", [LPS, PERMUTED])
def test_slices_do_not_depend_on_how_the_file_stores_them(directions):
    """The same scan stored along other axes gives the same three slices and places."""
    shape = (40, 36, 44)
    straight = phantom_case(shape)
    turned = phantom_case(permuted_shape(shape, directions), directions=directions)
    pairs = zip(
        lay_out(straight.grid, straight.fixed_mask).views,
        lay_out(turned.grid, turned.fixed_mask).views,
        strict=True,
    )
    for one, other in pairs:
        assert (one.note, one.edges) == (other.note, other.edges)
        np.testing.assert_allclose(one.size_mm, other.size_mm)
        np.testing.assert_array_equal(one.cut(straight.fixed), other.cut(turned.fixed))


@pytest.mark.parametrize("directions", [np.eye(3), LPS, PERMUTED, rotation(20)])
def test_letters_name_what_lies_there(directions):
    """Towards the edge lettered R the coordinate of the right grows, and so for every letter."""
    shape = (
        permuted_shape((30, 26, 34), directions) if directions[0, 0] in (0, 1, -1) else (30,) * 3
    )
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array([2.0, 3.0, 1.5])
    grid = Grid(shape=shape, affine=affine)
    index = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3)
    world = dict(zip("RAS", grid.to_world(index).T.reshape(3, *shape), strict=True))
    letters = {**world, **{"LPI"[k]: -world["RAS"[k]] for k in range(3)}}
    for view in lay_out(grid, None).views:
        left, right, top, bottom = (view.cut(letters[letter]) for letter in view.edges)
        assert (np.diff(left, axis=1) < 0).all()
        assert (np.diff(right, axis=1) > 0).all()
        assert (np.diff(top, axis=0) < 0).all()
        assert (np.diff(bottom, axis=0) > 0).all()


def test_slices_pass_through_the_lungs():
    """Coronal and axial slices halve the lungs' box; the sagittal one halves the right lung."""
    case = phantom_case((64, 50, 60))
    coronal, sagittal, axial = lay_out(case.grid, case.fixed_mask).views
    hit = [np.flatnonzero(case.fixed_mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    assert abs(coronal.index - (hit[1][0] + hit[1][-1]) / 2) <= 0.5
    assert abs(axial.index - (hit[2][0] + hit[2][-1]) / 2) <= 0.5
    right = hit[0][hit[0] > 32]
    assert abs(sagittal.index - (right[0] + right[-1]) / 2) <= 2
    assert sagittal.note.startswith("right lung")


def test_sagittal_slice_takes_the_lung_that_is_there():
    """With a mask that shows more of the left lung the sagittal slice goes there."""
    case = phantom_case((64, 50, 60))
    mask = case.fixed_mask.copy()
    mask[32:, :, 25:] = False
    assert mask[32:].any()
    sagittal = lay_out(case.grid, mask).views[1]
    assert sagittal.note.startswith("left lung")
    assert sagittal.cut(mask).any()


def test_pictures_hold_every_lung_with_a_margin():
    """No mask is cut off: the box holds fixed, aligned and warped lungs and a margin."""
    case = phantom_case((40, 36, 44))
    layout = lay_out(case.grid, case.fixed_mask, (case.aligned_mask, None))
    union = case.fixed_mask | case.aligned_mask
    for axis, shown in enumerate(layout.views[0].box):
        hit = np.flatnonzero(union.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = MARGIN_MM / case.grid.spacing_mm[axis]
        assert shown.start == max(int(hit[0] - np.ceil(margin)), 0)
        assert shown.stop == min(int(hit[-1] + 1 + np.ceil(margin)), case.grid.shape[axis])


@pytest.mark.parametrize("mask", [None, np.zeros((9, 8, 7), dtype=bool)])
def test_without_lungs_the_volume_is_shown(mask):
    """No mask and an empty one give slices of the whole volume, with its extent in mm."""
    grid = Grid(shape=(9, 8, 7), affine=np.diag([3.0, 2.0, 5.0, 1.0]))
    sizes = [view.size_mm for view in lay_out(grid, mask).views]
    np.testing.assert_allclose(sizes, [(35.0, 27.0), (35.0, 16.0), (16.0, 27.0)])


def test_tilt_and_components_of_an_oblique_grid():
    """A vector along a voxel axis has one component there, and the tilt is the angle turned."""
    directions = rotation(12)
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array([1.0, 2.0, 3.0])
    layout = lay_out(Grid(shape=(5, 6, 7), affine=affine), None)
    assert layout.tilt_deg == pytest.approx(12.0)
    np.testing.assert_allclose(layout.to_axes @ directions, np.eye(3), atol=1e-12)


def test_note_says_where_the_slice_lies():
    """The place in a view's note is the slice's LPS coordinate, as in the files, and says so."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -100.0
    coronal, _, axial = lay_out(Grid(shape=(21, 21, 61), affine=affine), None).views
    assert coronal.note == "y = 80 mm LPS"
    assert axial.note == "z = \N{MINUS SIGN}40 mm LPS"
