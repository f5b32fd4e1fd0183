"""Pairs from a CT, in any orientation, whole or cut off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lungreg.errors import DataError
from lungreg.formats.volumes import read_volume
from lungreg.sources.simulation import Anatomy, BreathingSettings, simulate_from_ct
from lungreg.spatial.geometry import Grid
from tests.sources.simulation.truth import (
    dice,
    jacobian,
    lung_mass_g,
    moved_voxels,
    warped_moving_mask,
)


def test_ct_breathes_in_any_orientation(oblique_anatomy: Anatomy) -> None:
    """A CT lying askew: positive Jacobian, mass kept, masks agree; the CT is inspiration."""
    a = oblique_anatomy
    settings = BreathingSettings(noise_hu=0.0)
    pair = simulate_from_ct(a.ct, a.mask, a.grid, seed=5, index=0, settings=settings)
    np.testing.assert_array_equal(pair.moving, a.ct)
    assert pair.moving_grid is a.grid
    assert jacobian(pair.displacement_mm, pair.fixed_grid).min() > 0.2
    assert dice(pair.fixed_mask > 0, warped_moving_mask(pair)) > 0.97
    deep = ndimage.binary_erosion(pair.fixed_mask > 0, iterations=2)
    inhaled = ndimage.map_coordinates(a.ct.astype(float), moved_voxels(pair)[:, deep], order=1)
    growth = jacobian(pair.displacement_mm, pair.fixed_grid)[deep]
    assert (pair.fixed[deep] + 1000.0).sum() == pytest.approx(
        ((inhaled + 1000) * growth).sum(), rel=0.03
    )
    fall = -float(pair.displacement_mm[2][pair.fixed_mask > 0].min())
    assert 14.0 <= fall <= 46.0


def test_motion_does_not_depend_on_the_order_of_voxels(oblique_anatomy: Anatomy) -> None:
    """Axes swapped and flipped with the affine to match: the same motion in the world."""
    a = oblique_anatomy
    swap = np.array(
        [[0, 0, -1, a.grid.shape[0] - 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=float
    )
    turned = Grid(
        shape=(a.grid.shape[1], a.grid.shape[2], a.grid.shape[0]), affine=a.grid.affine @ swap
    )

    def turn(array: np.ndarray) -> np.ndarray:
        return np.moveaxis(array, -3, -1)[..., ::-1]

    first = simulate_from_ct(a.ct, a.mask, a.grid, seed=6, index=0)
    second = simulate_from_ct(turn(a.ct), turn(a.mask), turned, seed=6, index=0)
    gap = turn(first.displacement_mm) - second.displacement_mm
    assert np.abs(gap[:, second.fixed_mask > 0]).mean() < 0.2


def test_cut_ct_is_breathed_with_a_diaphragm_below_it(oblique_anatomy: Anatomy) -> None:
    """Lungs that a CT cuts off still give a valid pair, all of whose lung comes from the CT."""
    a = oblique_anatomy
    cut = (slice(None), slice(None), slice(16, None))
    affine = np.array(a.grid.affine)
    affine[:3, 3] = a.grid.to_world(np.array([[0.0, 0.0, 16.0]]))[0]
    grid = Grid(shape=a.ct[cut].shape, affine=affine)
    pair = simulate_from_ct(a.ct[cut], a.mask[cut], grid, seed=5, index=1)
    lung = pair.fixed_mask > 0
    assert lung[..., 0].any()
    places = moved_voxels(pair)[2][lung]
    assert places.min() > -0.6
    assert len(pair.landmarks_vox) >= 100
    assert jacobian(pair.displacement_mm, pair.fixed_grid).min() > 0.2


def test_ct_without_lung_is_refused(oblique_anatomy: Anatomy) -> None:
    """An empty mask, and a mask of another shape, are errors."""
    a = oblique_anatomy
    with pytest.raises(DataError, match="marks lung"):
        simulate_from_ct(a.ct, np.zeros_like(a.mask), a.grid, seed=0, index=0)
    with pytest.raises(DataError, match="mask has the shape"):
        simulate_from_ct(a.ct, a.mask[1:], a.grid, seed=0, index=0)


@pytest.mark.real
def test_real_ct_breathes(real_data: Path) -> None:
    """The real thorax of `cip_ct64`: valid motion, same mass, masks and landmarks agree."""
    ct = read_volume(real_data / "cip_ct64" / "ct.nii.gz")
    mask = read_volume(real_data / "cip_ct64" / "lung_mask.nii.gz", mask=True)
    for index in range(2):
        pair = simulate_from_ct(ct.data, mask.data, ct.grid, seed=1, index=index)
        assert 14.0 <= -float(pair.displacement_mm[2][pair.fixed_mask > 0].min()) <= 46.0
        assert jacobian(pair.displacement_mm, pair.fixed_grid).min() > 0.3
        assert dice(pair.fixed_mask > 0, warped_moving_mask(pair)) > 0.97
        assert lung_mass_g(pair.fixed, pair.fixed_mask, pair.fixed_grid) == pytest.approx(
            lung_mass_g(pair.moving, pair.moving_mask, pair.moving_grid), rel=0.05
        )
