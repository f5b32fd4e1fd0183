"""Pairs of an analytic chest and of a CT: what issue and design promise of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lungreg.errors import ConfigError, DataError
from lungreg.formats.volumes import read_volume
from lungreg.sources.simulation import (
    Anatomy,
    BreathingSettings,
    SimulatedPair,
    simulate_from_ct,
    simulate_pair,
)
from lungreg.spatial.geometry import Grid
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


def test_landmarks_lie_in_both_lungs_and_follow_the_motion(
    pairs: list[SimulatedPair], cut_pair: SimulatedPair
) -> None:
    """At least 100 spread points inside both masks, partners by the displacement to 0.5 mm."""
    for pair in (*pairs, cut_pair):
        fixed_vox, moving_vox = np.split(pair.landmarks_vox, 2, axis=1)
        assert len(fixed_vox) == 150
        assert (pair.fixed_mask[tuple(np.rint(fixed_vox).astype(int).T)] > 0).all()
        assert (pair.moving_mask[tuple(np.rint(moving_vox).astype(int).T)] > 0).all()
        u = [ndimage.map_coordinates(c, fixed_vox.T, order=1) for c in pair.displacement_mm]
        carried = pair.fixed_grid.to_world(fixed_vox) + np.stack(u, axis=1)
        gap_mm = np.linalg.norm(carried - pair.moving_grid.to_world(moving_vox), axis=1)
        assert gap_mm.max() < 0.5
        points = pair.fixed_grid.to_world(fixed_vox)
        between = np.linalg.norm(points[:, None] - points, axis=2) + 1e3 * np.eye(len(points))
        assert np.median(between.min(axis=1)) > 8.0


def test_cutoff_takes_the_bases(pairs: list[SimulatedPair], cut_pair: SimulatedPair) -> None:
    """40 mm less lung below, the same lung above, and only the expiration is cut."""
    assert (cut_pair.fixed_mask[..., 0] > 0).any()
    assert not (pairs[0].fixed_mask[..., 0] > 0).any()
    assert cut_pair.moving_grid.same_as(pairs[0].moving_grid)
    bottoms = [
        p.fixed_grid.to_world(np.argwhere(p.fixed_mask > 0).astype(float))[:, 2].min()
        for p in (cut_pair, pairs[0])
    ]
    assert bottoms[0] - bottoms[1] == pytest.approx(40.0, abs=3.0)
    lost = pairs[0].fixed_grid.shape[2] - cut_pair.fixed_grid.shape[2]
    np.testing.assert_array_equal(cut_pair.fixed_mask, pairs[0].fixed_mask[..., lost:])
    np.testing.assert_array_equal(cut_pair.displacement_mm, pairs[0].displacement_mm[..., lost:])


def test_each_scan_has_its_own_noise() -> None:
    """The noise has the strength asked for and is not the same in both scans."""
    quiet, loud = (
        simulate_pair(
            2,
            0,
            shape=SMALL_SHAPE,
            spacing_mm=SMALL_SPACING_MM,
            settings=BreathingSettings(noise_hu=noise_hu),
        )
        for noise_hu in (0.0, 30.0)
    )
    inner = (slice(12, 28), slice(8, 26), slice(6, 34))
    noise = [
        (getattr(loud, name).astype(float) - getattr(quiet, name))[inner].ravel()
        for name in ("fixed", "moving")
    ]
    assert [n.std() for n in noise] == pytest.approx([30.0, 30.0], rel=0.1)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.05


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"diaphragm_mm": (45.0, 15.0)},
        {"rib_mm": (-1.0, 2.0)},
        {"cutoff_mm": -1.0},
        {"noise_hu": float("nan")},
        {"landmarks": 99},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    """Ranges in order, lengths that a chest has, at least 100 landmarks."""
    with pytest.raises(ConfigError):
        BreathingSettings(**wrong)  # type: ignore[arg-type]


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
