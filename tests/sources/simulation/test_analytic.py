"""Pairs of an analytic chest: motion, mass, brightness and masks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lungreg.errors import DataError
from lungreg.sources.simulation import BreathingSettings, SimulatedPair, simulate_pair
from tests.sources.simulation.conftest import SMALL_SHAPE, SMALL_SPACING_MM
from tests.sources.simulation.truth import (
    dice,
    jacobian,
    lung_mass_g,
    moved_voxels,
    warped_moving_mask,
)


def test_true_motion_is_invertible(pairs: list[SimulatedPair], cut_pair: SimulatedPair) -> None:
    """The determinant of T's derivative is positive everywhere, and lungs grow on average."""
    for pair in (*pairs, cut_pair):
        determinant = jacobian(pair.displacement_mm, pair.fixed_grid)
        assert determinant.min() > 0.3
        assert determinant[pair.fixed_mask > 0].mean() > 1.1


def test_diaphragm_moves_within_the_range_and_differs(pairs: list[SimulatedPair]) -> None:
    """The lungs go down by 15 to 45 mm where they go down most, in each case otherwise."""
    falls = [-float(p.displacement_mm[2][p.fixed_mask > 0].min()) for p in pairs]
    assert all(14.5 <= fall <= 45.5 for fall in falls)
    assert abs(falls[0] - falls[1]) > 1.0


@pytest.mark.parametrize("wanted_mm", [16.0, 30.0, 44.0])
def test_diaphragm_moves_as_far_as_asked(wanted_mm: float) -> None:
    """A range of one length gives that length."""
    settings = BreathingSettings(diaphragm_mm=(wanted_mm, wanted_mm))
    pair = simulate_pair(1, 1, shape=SMALL_SHAPE, spacing_mm=SMALL_SPACING_MM, settings=settings)
    fall = -float(pair.displacement_mm[2][pair.fixed_mask > 0].min())
    assert fall == pytest.approx(wanted_mm, abs=1.0)


def test_motion_has_the_shape_of_breathing(pairs: list[SimulatedPair]) -> None:
    """Bases move far, tips and spine hardly; the rib cage widens; the chest stays in the air."""
    for pair in pairs:
        x, y, z = pair.fixed_grid.to_world(np.argwhere(pair.fixed_mask > 0).astype(float)).T
        u = pair.displacement_mm[:, pair.fixed_mask > 0]
        low, high = np.percentile(z, (10, 95))
        assert -u[2][z < low].mean() > 4 * abs(u[2][z > high].mean())
        side = x - x.mean()
        outer = np.abs(side) > 0.85 * np.abs(side).max()
        assert (u[0] * np.sign(side))[outer].mean() > 1.5
        points = np.array([[x.mean(), y.min() - 5.0, z.mean()]])
        spine = np.rint(pair.fixed_grid.to_voxel(points)[0]).astype(int)
        assert np.linalg.norm(pair.displacement_mm[:, *spine]) < 3.0


def test_tissue_keeps_its_mass(pairs: list[SimulatedPair]) -> None:
    """The lungs weigh the same in both scans, although they differ in volume by 10 % and more."""
    for pair in pairs:
        fixed_g = lung_mass_g(pair.fixed, pair.fixed_mask, pair.fixed_grid)
        moving_g = lung_mass_g(pair.moving, pair.moving_mask, pair.moving_grid)
        assert fixed_g == pytest.approx(moving_g, rel=0.04)
        assert (pair.moving_mask > 0).sum() > 1.1 * (pair.fixed_mask > 0).sum()


def test_inspiration_is_darker(pairs: list[SimulatedPair]) -> None:
    """Lung is about -720 HU at expiration and darker at inspiration, most where it expands."""
    for pair in pairs:
        lung = ndimage.binary_erosion(pair.fixed_mask > 0, iterations=2)
        fixed = pair.fixed[lung].astype(float)
        warped = ndimage.map_coordinates(
            pair.moving.astype(np.float32), moved_voxels(pair)[:, lung], order=1
        )
        assert -790 < np.median(fixed) < -690
        growth = jacobian(pair.displacement_mm, pair.fixed_grid)[lung]
        most, least = growth > np.quantile(growth, 0.8), growth < np.quantile(growth, 0.2)
        darker = np.array([np.median((fixed - warped)[part]) for part in (most, least)])
        assert darker[0] > darker[1] + 15
        assert darker[0] > 25


def test_masks_agree_with_the_motion(pairs: list[SimulatedPair], cut_pair: SimulatedPair) -> None:
    """The moving mask carried by the truth is the fixed mask; without it they differ."""
    for pair in (*pairs, cut_pair):
        fixed = pair.fixed_mask > 0
        assert dice(fixed, warped_moving_mask(pair)) > 0.97
    still = SimulatedPair(**{**vars(pairs[1]), "displacement_mm": 0 * pairs[1].displacement_mm})
    assert dice(pairs[1].fixed_mask > 0, warped_moving_mask(still)) < 0.95


def test_right_lung_is_one_and_left_is_two(pairs: list[SimulatedPair]) -> None:
    """RAS: the right lung (1) has the larger x."""
    for pair in pairs:
        for mask, grid in (
            (pair.fixed_mask, pair.fixed_grid),
            (pair.moving_mask, pair.moving_grid),
        ):
            assert set(np.unique(mask)) == {0, 1, 2}
            right, left = (grid.to_world(np.argwhere(mask == n).astype(float)) for n in (1, 2))
            assert right[:, 0].mean() > left[:, 0].mean() + 50


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [
        ((60, 50, 46), (3.1, 3.1, 4.0)),
        ((40, 120, 60), (8.0, 2.0, 5.0)),
        ((44, 40, 44), (8.0, 8.0, 8.0)),
    ],
)
def test_chest_fits_any_field_of_view(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> None:
    """Small, anisotropic and large fields hold both lungs whole, in both scans."""
    settings = BreathingSettings(diaphragm_mm=(45.0, 45.0))
    pair = simulate_pair(3, 0, shape=shape, spacing_mm=spacing_mm, settings=settings)
    for mask in (pair.fixed_mask, pair.moving_mask):
        inside = np.argwhere(mask > 0)
        assert (inside.min(axis=0) > 0).all()
        assert (inside.max(axis=0) < np.array(shape) - 1).all()
    assert jacobian(pair.displacement_mm, pair.fixed_grid).min() > 0


def test_tiny_field_of_view_is_refused() -> None:
    """Less than a chest is an error that says so."""
    with pytest.raises(DataError, match="holds a chest"):
        simulate_pair(0, 0, shape=(32, 32, 32), spacing_mm=(2.0, 2.0, 2.0))
