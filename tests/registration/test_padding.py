"""Padding is told from air and tissue, and nothing is registered by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.config.model import Preprocessing
from lungreg.registration.alignment import align
from lungreg.registration.evaluation import Measured, measure
from lungreg.registration.images import carry_moving, pair_images
from lungreg.registration.padding import shown_voxels
from lungreg.registration.pair import Pair
from lungreg.registration.refinement import plan_for, refine
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Grid, Transform
from lungreg.spatial.mask_box import in_mask
from tests.varied import VariedCase, make_varied

_WINDOW = Preprocessing().hu_window

_SHAPE = (40, 36, 20)
_GRID = Grid(shape=_SHAPE, affine=np.diag([4.0, 4.0, 5.0, 1.0]))
_SLICES_FIRST = Grid(
    shape=(20, 40, 36), affine=np.array([[0, 4, 0, 0], [0, 0, 4, 0], [5, 0, 0, 0], [0, 0, 0, 1.0]])
)
_X, _Y, _ = np.meshgrid(*(np.arange(n) - n / 2 for n in _SHAPE), indexing="ij")
_AWAY = np.hypot(_X, _Y)
_LUNGS = ((np.abs(_X) - 8) / 6) ** 2 + (_Y / 10) ** 2 < 1


def _chest(air: float = -1000.0) -> NDArray[np.float32]:
    """Noisy tissue with two lungs, in air of one value."""
    body = (_X / 18) ** 2 + (_Y / 15) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 10, _SHAPE)
    hu = np.where(body, np.where(_LUNGS, -800, 40) + noise, air)
    return hu.astype(np.float32)


def _circled(hu: NDArray[np.float32], radius: float, value: float) -> NDArray[np.float32]:
    return np.where(radius < _AWAY, np.float32(value), hu)


@pytest.mark.parametrize("value", [-3024.0, -2000.0, 0.0])
def test_a_circle_of_a_value_that_no_air_has(value: float) -> None:
    """With lungs beside it or not."""
    shown = shown_voxels(_circled(_chest(), 17, value), _GRID, _LUNGS)
    np.testing.assert_array_equal(shown, _AWAY <= 17)


@pytest.mark.parametrize("radius", [12.0, 10.0])
def test_a_circle_of_a_value_like_air_where_it_cuts_lungs(radius: float) -> None:
    """Where lungs are not known it cannot be told from air."""
    hu, left = _circled(_chest(), radius, -1024), _LUNGS & (radius >= _AWAY)
    np.testing.assert_array_equal(shown_voxels(hu, _GRID, left), radius >= _AWAY)
    assert shown_voxels(hu, _GRID) is None


@pytest.mark.parametrize("value", [-3024.0, -1024.0, 0.0])
def test_slices_of_one_value_at_the_ends(value: float) -> None:
    """As where a cut scan was resampled onto the grid of a whole one."""
    hu = _chest()
    hu[..., :6] = hu[..., 18:] = value
    shown = shown_voxels(hu, _GRID, _LUNGS)
    assert shown is not None
    assert shown[..., 6:18].all()
    assert not shown[..., :6].any()
    assert not shown[..., 18:].any()


@pytest.mark.parametrize("value", [-3024.0, -1024.0, 0.0])
def test_a_wedge_beyond_a_scan_that_was_turned(value: float) -> None:
    """Also of a value like air, where it cuts lungs."""
    x, _, z = np.indices(_SHAPE)
    beyond = x + 1.5 * z < 22
    hu, left = np.where(beyond, np.float32(value), _chest()), _LUNGS & ~beyond
    shown = shown_voxels(hu, _GRID, left)
    assert shown is not None
    assert not shown[beyond].any()
    assert shown[left].all()


def test_what_a_resampling_mixed_with_padding_is_padding_too() -> None:
    """Between -3024 and tissue lies no air."""
    hu = np.where(np.round(_AWAY) == 17, np.float32(-1800), _circled(_chest(), 17, -3024))
    shown = shown_voxels(hu, _GRID, _LUNGS)
    assert shown is not None
    assert not shown[hu < -1150].any()


@pytest.mark.parametrize("air", [-1000.0, -1024.0])
def test_air_around_a_body_is_no_padding(air: float) -> None:
    """Though it is one value."""
    assert shown_voxels(_chest(air), _GRID, _LUNGS) is None


def test_the_value_of_padding_within_tissue_is_tissue() -> None:
    """Scans that were turned are filled with 0 HU, which is water too."""
    hu = _circled(_chest(), 17, 0)
    hu[20, 18, 5:9] = 0
    shown = shown_voxels(hu, _GRID, _LUNGS)
    assert shown is not None
    assert shown[20, 18].all()


@pytest.mark.parametrize("value", [-3024.0, -1024.0, 0.0])
def test_lungs_cut_out_along_their_outline(value: float) -> None:
    """Where lungs end is known then, and counts."""
    hu = np.where(_LUNGS, _chest(), np.float32(value))
    assert shown_voxels(hu, _GRID, _LUNGS) is None


def test_a_scan_of_one_value() -> None:
    """It is not all padding."""
    assert shown_voxels(np.full(_SHAPE, -500, np.float32), _GRID) is None


def test_slices_lie_across_any_axis() -> None:
    """The axis from feet to head is found by the grid."""
    hu, left = _circled(_chest(), 10, -1024), _LUNGS & (_AWAY <= 10)
    found = shown_voxels(np.moveaxis(hu, 2, 0), _SLICES_FIRST, np.moveaxis(left, 2, 0))
    np.testing.assert_array_equal(found, np.moveaxis(_AWAY <= 10, 2, 0))


def _registered(pair: Pair) -> Transform:
    chosen = align(pair, _WINDOW, "auto")
    return refine(pair, chosen.affine, plan_for("fast"), device=CPU).transform


def _measured(pair: Pair, transform: Transform) -> Measured:
    carried = carry_moving(pair, transform, CPU)
    images = pair_images(pair, transform, carried, hu_window=_WINDOW, device=CPU)
    return measure(pair, transform, images)


@pytest.fixture(scope="module")
def plain() -> VariedCase:
    """A chest whose lungs both scans show whole."""
    return make_varied("small", "none", 1)


@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_a_circle_through_the_lungs_does_not_pull_them(plain: VariedCase, role: str) -> None:
    """With 12 % of the lungs of one scan hidden, landmarks in the rest are about as near as before.

    All of them, also those of which nothing is known: 1.7 mm against 1.3. With padding read as air
    they were 8.6 and 10.1 mm off, since the lungs were drawn from it.
    """
    circled = make_varied("small", f"{role}_circle", 1)
    whole_mm = plain.error_mm(_registered(plain.pair))
    transform = _registered(circled.pair)
    error_mm = plain.error_mm(transform)
    assert error_mm.mean() < whole_mm.mean() + 0.5
    points = plain.landmarks_ras if role == "fixed" else plain.true_moving(plain.landmarks_ras)
    scan, shown = (getattr(circled.pair, name) for name in (role, f"{role}_shown"))
    seen = in_mask(points, shown, scan.grid)
    assert 0.8 < seen.mean() < 0.95
    assert error_mm[seen].mean() < 1.25 * whole_mm[seen].mean()
    measured = _measured(circled.pair, transform)
    outside_pct = measured.evidence.lungs_outside_pct
    assert outside_pct is not None
    assert (outside_pct > 5) == (role == "moving")
    assert measured.places is not None
    assert not measured.places.found[~measured.places.shown].any()


@pytest.mark.parametrize("value", [-1024.0, 0.0])
def test_padded_slices_are_as_slices_that_were_cut_off(value: float) -> None:
    """The landmarks come as near, where the moving scan lacks 40 mm of the bases."""
    cut = make_varied("small", "moving_cut40_bases", 1)
    scan = cut.pair.moving
    data = np.pad(scan.data, ((0, 0), (0, 0), (8, 0)), constant_values=value)
    affine = scan.grid.affine.copy()
    affine[:3, 3] -= 8 * affine[:3, 2]
    grid = Grid(shape=data.shape, affine=affine)
    padded = replace(cut.pair, moving=replace(scan, data=data, grid=grid))
    cut_mm, padded_mm = (cut.error_mm(_registered(it)).mean() for it in (cut.pair, padded))
    assert padded_mm < 1.1 * cut_mm


def test_images_are_compared_where_both_show_lung(plain: VariedCase) -> None:
    """A circle through the moving lungs makes a right transform look no worse."""
    circled = make_varied("small", "moving_circle", 1).pair
    pairs, truth = (plain.pair, circled), plain.true_transform()
    likeness = [_measured(pair, truth).metrics.ncc for pair in pairs]
    assert likeness[1] == pytest.approx(likeness[0], abs=0.03)


@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_masks_are_compared_where_both_scans_show_something(plain: VariedCase, role: str) -> None:
    """Of lungs cut by padding in one scan, and where a mask holds lung that its scan hides.

    As one that was drawn on another reconstruction.
    """
    circled, truth = make_varied("small", f"{role}_circle", 1), plain.true_transform()
    whole = _measured(plain.with_masks, truth).metrics
    masks = {"fixed_mask": plain.fixed_mask, "moving_mask": plain.moving_mask}
    for pair in (circled.with_masks, replace(circled.pair, **masks)):
        found = _measured(pair, truth).metrics
        assert found.dice_score == pytest.approx(whole.dice_score, abs=0.02)
        assert found.hd95_mm == pytest.approx(whole.hd95_mm, abs=1.0)


def test_a_transform_that_leaves_whole_lungs_is_measured_there(plain: VariedCase) -> None:
    """Padding far from the lungs is no excuse for it."""
    pair = plain.pair
    data = pair.moving.data.copy()
    data[0] = data[-1] = data[:, 0] = data[:, -1] = -3024
    padded = replace(pair, moving=replace(pair.moving, data=data))
    assert padded.moving_shown is not None
    truth = plain.true_transform()
    affine = truth.affine.copy()
    affine[0, 3] += 150.0
    away = replace(truth, affine=affine)
    wrong, lost = (_measured(it, away) for it in (pair, padded))
    assert wrong.evidence.lungs_outside_pct is not None
    assert wrong.evidence.lungs_outside_pct > 10
    assert lost.metrics.ncc == pytest.approx(wrong.metrics.ncc, abs=0.01)


def test_padding_is_the_same_whatever_its_value() -> None:
    """-3024 and -2000 lead to one transform."""
    case = make_varied("small", "moving_circle", 1).pair
    assert case.moving_shown is not None
    found = []
    for value in (-3024.0, -2000.0):
        data = np.where(case.moving_shown, case.moving.data, np.float32(value))
        changed = replace(case, moving=replace(case.moving, data=data))
        found.append(_registered(changed).displacement_mm)
    np.testing.assert_array_equal(*found)
