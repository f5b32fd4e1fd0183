"""Pictures of a case: scales, outlines, folds, the deformed grid."""

from __future__ import annotations

import base64
import dataclasses
import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from lungreg.qc.colours import DIVERGING, FOLDED
from lungreg.qc.grid_lines import GRID_MM
from lungreg.qc.pictures import (
    DIFFERENCE_HU,
    LONGEST_PX,
    difference,
    draw_case,
    paint_jacobian,
    shade,
)
from lungreg.registration.images import PairImages
from lungreg.spatial.geometry import Grid
from tests.qc.phantom import phantom_case, polylines

WINDOW = (-1000.0, 500.0)


def pixels(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def with_displacement(case: PairImages, vector_mm: tuple[float, float, float]) -> PairImages:
    shape = (3, *case.grid.shape)
    field = np.broadcast_to(np.array(vector_mm, dtype=np.float32)[:, None, None, None], shape)
    return dataclasses.replace(case, dense_mm=field)


def test_pictures_have_the_shape_of_the_body():
    """Height and width of a picture are those of the slice in mm, whatever the voxels' shape."""
    case = phantom_case((40, 20, 70))
    longest = []
    for view in draw_case(case).views:
        height, width = pixels(view.warped).shape
        assert height / width == pytest.approx(view.height_mm / view.width_mm, rel=0.02)
        longest.append(max(height, width))
    assert max(longest) == LONGEST_PX


def test_difference_has_one_scale():
    """The same difference has the same colour before and after, and half the scale is 0.5."""
    fixed = np.zeros((4, 4), dtype=np.float32)
    moving = np.full((4, 4), DIFFERENCE_HU / 2 / 1500.0, dtype=np.float32)
    np.testing.assert_allclose(difference(fixed, moving, WINDOW), 0.5, rtol=1e-6)
    np.testing.assert_allclose(difference(moving, fixed, WINDOW), 0.5, rtol=1e-6)
    case = phantom_case()
    (coronal, *_) = draw_case(dataclasses.replace(case, warped=case.aligned)).views
    assert coronal.difference_after == coronal.difference_before
    (coronal, *_) = draw_case(case).views
    before, after = pixels(coronal.difference_before), pixels(coronal.difference_after)
    assert before.mean() > 1.5 * after.mean()


def test_shade_is_black_at_the_window_and_white_above_tissue():
    """Grey levels depend on HU alone, not on the window that the network saw."""
    for low, high in (WINDOW, (-1000.0, 1000.0), (-1000.0, 0.0)):
        hu = np.array([-1000.0, -500.0], dtype=np.float32)
        values = shade((hu - low) / (high - low), (low, high))
        np.testing.assert_allclose(values, [0.0, 500.0 / (min(high, 150.0) + 1000.0)], rtol=1e-5)


def test_jacobian_map_diverges_around_one_and_marks_folds():
    """1 is neutral, x and 1/x lie equally far from it, and what does not keep sides is marked."""
    jacobian = np.array([[1.0, 2.0, 0.5, 0.0, -3.0, np.nan]], dtype=np.float32)
    background = np.full((1, 6), 100, dtype=np.uint8)
    painted = paint_jacobian(jacobian, None, background)
    step = np.log(2.0) / (2 * np.log(3.0))
    expected = DIVERGING.paint(np.array([0.5, 0.5 + step, 0.5 - step]))
    np.testing.assert_array_equal(painted[0, :3], expected)
    np.testing.assert_array_equal(painted[0, 3:], [FOLDED] * 3)
    mask = np.array([[1, 1, 1, 0, 1, 0]], dtype=np.float32)
    inside = paint_jacobian(jacobian, mask, background)
    np.testing.assert_array_equal(inside[0, [3, 5]], [[30, 30, 30]] * 2)
    np.testing.assert_array_equal(inside[0, 4], FOLDED)


def test_one_folded_voxel_is_counted_coloured_and_circled():
    """A single folded voxel of the lungs shows in its slice; one outside them does not count."""
    case = phantom_case((64, 48, 60))
    coronal = draw_case(case).views[0]
    assert (coronal.folded, coronal.fold_outline) == (0, "")
    index = np.argwhere(case.fixed_mask[:, 23])[300]
    jacobian = case.jacobian.copy()
    jacobian[index[0], :, index[1]] = -1.0
    jacobian[0, :, 0] = -1.0
    coronal = draw_case(dataclasses.replace(case, jacobian=jacobian)).views[0]
    assert coronal.folded == 1
    assert len(polylines(coronal.fold_outline)) == 1
    distance = np.linalg.norm(pixels(coronal.jacobian).astype(int) - np.array(FOLDED), axis=-1)
    assert 4 <= (distance < 80).sum() <= 80


def test_grid_is_regular_where_nothing_moves_and_moves_with_the_map():
    """Lines of x + u(x) lie 10 mm apart at rest; pulled 3 mm to the right they lie 3 mm off."""
    case = phantom_case((64, 50, 60))
    rest, moved = (
        polylines(draw_case(with_displacement(case, vector)).views[0].grid_lines)
        for vector in ((0.0, 0.0, 0.0), (3.0, 0.0, 0.0))
    )

    def upright(lines):
        return np.array(sorted(line[0, 0] for line in lines if np.ptp(line[:, 0]) < 0.2))

    np.testing.assert_allclose(np.diff(upright(rest)), GRID_MM, atol=0.15)
    # The picture's columns run to the patient's left: where x + 3 is constant, x is 3 mm less.
    offset = (upright(moved)[:5] - upright(rest)[:5]) % GRID_MM
    np.testing.assert_allclose(offset, 3.0, atol=0.15)


def test_displacement_of_an_oblique_grid_is_seen_along_its_axes():
    """A shift along an oblique voxel axis bends no line and moves those across it alone."""
    angle = np.deg2rad(25)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    case = phantom_case((48, 40, 50), directions=turn)
    shifted = with_displacement(case, tuple(4.0 * turn[:, 2]))
    rest = draw_case(with_displacement(case, (0.0, 0.0, 0.0)))
    drawn = draw_case(shifted)
    assert drawn.tilt_deg == pytest.approx(25.0)

    def upright(pictures):
        lines = polylines(pictures.views[0].grid_lines)
        return sorted(line[0, 0] for line in lines if np.ptp(line[:, 0]) < 0.2)

    np.testing.assert_allclose(upright(drawn), upright(rest), atol=0.1)
    assert drawn.displacement_mm == 5.0


def test_the_displacement_has_the_scale_of_the_lungs():
    """Where nothing is registered the field may be long: colours stay those of the lungs."""
    case = phantom_case()
    scale = draw_case(case, longest_px=50).displacement_mm
    wild = case.displacement_mm.copy()
    wild[:, ~case.fixed_mask] += 80.0
    case = dataclasses.replace(case, dense_mm=wild)
    assert draw_case(case, longest_px=50).displacement_mm == scale == 25.0
    empty = dataclasses.replace(case, fixed_mask=np.zeros_like(case.fixed_mask))
    assert draw_case(empty, longest_px=50).displacement_mm > 100.0


def test_case_without_masks():
    """A case without lungs has no outlines, and its Jacobian map fills the picture."""
    drawn = draw_case(phantom_case(masks=False))
    assert not drawn.masked
    for view in drawn.views:
        assert view.fixed_outline == view.aligned_outline == view.warped_outline == ""
        assert (pixels(view.jacobian).min(axis=-1) > 120).mean() > 0.8


def test_single_slice_and_broken_numbers():
    """A volume one voxel thick and one with NaN are drawn, not refused."""
    grid = Grid(shape=(12, 1, 10), affine=np.diag([3.0, 3.0, 3.0, 1.0]))
    broken = np.full(grid.shape, np.nan, dtype=np.float32)
    case = PairImages(
        grid=grid,
        hu_window=WINDOW,
        fixed=broken,
        aligned=broken,
        warped=broken,
        fixed_mask=None,
        initial_mask=None,
        outside=np.zeros(grid.shape, dtype=bool),
        aligned_mask=None,
        warped_mask=None,
        dense_mm=np.full((3, *grid.shape), np.nan, dtype=np.float32),
        linear=np.eye(3),
        jacobian=broken,
    )
    assert [view.folded for view in draw_case(case).views] == [120, 10, 12]


def test_volumes_are_cut_before_anything_is_computed():
    """Drawing a full-size case takes a small part of its volumes' memory."""
    shape = (192, 192, 208)
    image = np.zeros(shape, dtype=np.float32)
    mask = np.zeros(shape, dtype=bool)
    mask[40:150, 50:140, 30:180] = True
    case = PairImages(
        grid=Grid(shape=shape, affine=np.diag([1.75, 1.25, 1.75, 1.0])),
        hu_window=WINDOW,
        fixed=image,
        aligned=image,
        warped=image,
        fixed_mask=mask,
        initial_mask=None,
        outside=mask,
        aligned_mask=mask,
        warped_mask=mask,
        dense_mm=np.broadcast_to(np.float32(1.0), (3, *shape)),
        linear=np.eye(3),
        jacobian=image + 1,
    )
    tracemalloc.start()
    draw_case(case)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < image.nbytes
