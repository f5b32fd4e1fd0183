from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.pair_checks import check_units
from lungreg.spatial.geometry import Grid
from tests.varied import TROUBLES, VariedCase, is_held_back, make_varied, pairs
from tests.varied.motion import Breath
from tests.varied.pairs import motion_of
from tests.varied.patterns import ringed, streaked
from tests.varied.plan import Change
from tests.varied.scans import Scan
from tests.varied.source import load_source

SHIFTS_MM = np.concatenate([np.eye(3), -np.eye(3)]) * 12.0


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_truth_carries_structures(trouble: str) -> None:
    """The moving scan at T(x) is like the fixed scan at x, and less so 12 mm beside T(x)."""
    case = make_varied("small", trouble, 1)
    points = near_lungs(case)
    shown = at(case.pair.fixed_hu, case.pair.fixed.grid, points)
    moved, inside = case.true_moving(points), np.ones(len(points), dtype=bool)
    grid = case.pair.moving.grid
    for shift in SHIFTS_MM:
        inside &= grid.contains(moved + shift) & data(case.pair.moving_shown, grid, moved + shift)
    inside &= data(case.pair.fixed_shown, case.pair.fixed.grid, points)
    here = alike(shown, at(case.pair.moving_hu, grid, moved), inside)
    beside = [alike(shown, at(case.pair.moving_hu, grid, moved + s), inside) for s in SHIFTS_MM]
    assert here > max(0.75, max(beside) + 0.02)
    masks = at(case.fixed_mask, case.pair.fixed.grid, points) > 0.5
    agree = (at(case.moving_mask, grid, moved) > 0.5) == masks
    assert agree[inside].mean() > 0.88
    assert len(case.landmarks_ras) >= 100
    landmarks = case.true_moving(case.landmarks_ras)
    assert (at(case.fixed_mask, case.pair.fixed.grid, case.landmarks_ras, order=0) > 0).all()
    assert (at(case.moving_mask, grid, landmarks, order=0) > 0).all()


def test_the_same_arguments_make_the_same_pair() -> None:
    """Another seed, another pair; the same seed with nothing remembered, the same voxels."""
    first, other = make_varied("small", "none", 1), make_varied("small", "none", 2)
    for remembered in (load_source, motion_of, pairs.both_breaths):
        remembered.cache_clear()
    again = make_varied("small", "none", 1)
    assert np.array_equal(first.pair.moving.data, again.pair.moving.data)
    assert np.array_equal(first.pair.fixed.data, again.pair.fixed.data)
    assert np.array_equal(first.landmarks_ras, again.landmarks_ras)
    assert first.pair.fixed.data.shape != other.pair.fixed.data.shape


def test_a_trouble_keeps_patient_and_motion() -> None:
    """The same base and seed differ by the trouble alone: the truth is the same where both show."""
    plain, noisy = make_varied("small", "none", 1), make_varied("small", "noise100", 1)
    assert np.allclose(
        plain.true_moving(noisy.landmarks_ras), noisy.true_moving(noisy.landmarks_ras)
    )
    assert np.std(noisy.pair.fixed.data - plain.pair.fixed.data) > 50


@pytest.mark.parametrize("pattern", [ringed, streaked])
def test_a_pattern_lies_still_in_the_world(pattern: Change) -> None:
    """Scans on other voxels have the same at the same place, and not beside it."""
    added = []
    for spacing_mm, start_mm in ((1.0, 20.0), (1.3, 15.0)):
        affine = np.diag([spacing_mm] * 3 + [1.0])
        affine[:3, 3] = start_mm
        empty = np.zeros((40, 40, 40), dtype=np.float32)
        grid = Grid(shape=empty.shape, affine=affine)
        scan = Scan(hu=empty, mask=empty.astype(np.uint8), grid=grid)
        added.append((pattern(np.random.default_rng(0), scan).hu, grid))
    points = np.random.default_rng(1).uniform(22.0, 48.0, (5000, 3))
    here, there = (at(values, grid, points) for values, grid in added)
    beside = at(*added[1], np.asarray(points + np.array([0.0, 9.0, 0.0])))
    assert np.corrcoef(here, there)[0, 1] > 0.9
    assert abs(np.corrcoef(here, beside)[0, 1]) < 0.3


def test_the_truth_as_a_transform_stays_exact() -> None:
    """Sampled on nodes of 2.5 mm, it lies within 0.15 mm of the closed form on average."""
    case = make_varied("small", "none", 1)
    assert case.error_mm(case.true_transform()).mean() < 0.15


def test_the_lungs_slide_along_a_wall_that_stays() -> None:
    """Lung shows what lies at `T`, right up to the wall; what is not lung shows no sliding."""
    source, motion = load_source("small", 1), motion_of("small", 1)
    smooth_mm = motion.smooth_mm(source.grid)
    shown = pairs.source_voxels(source, motion, source.grid, smooth_mm).reshape(3, -1).T
    points = source.grid.to_world(np.indices(source.grid.shape, dtype=np.float64).reshape(3, -1).T)
    slid = source.grid.to_voxel(motion.at(points))
    still = source.grid.to_voxel(points + smooth_mm.reshape(3, -1).T)
    lung, uncovered = (
        ndimage.map_coordinates(source.mask, places.T, order=0, mode="nearest") > 0
        for places in (shown, still)
    )
    assert np.abs(shown - slid)[lung].max() < 1e-3
    assert np.abs(shown - still)[~lung & ~uncovered].max() < 1e-3
    inside = ndimage.binary_erosion(lung.reshape(source.grid.shape)).ravel()
    moved_mm = np.linalg.norm((slid - still) * source.grid.spacing_mm, axis=1)
    assert np.percentile(moved_mm[lung & ~inside], 90) > 1.0


def test_ribs_and_spine_stay_where_the_whole_breath_slides() -> None:
    """Bones are lowered with the ribs alone; the lungs beside them rise with the diaphragm."""
    source, motion = load_source("small", 1), motion_of("small", 1, Breath(slides=True))
    grid, bone = source.grid, (source.hu > 250) & (source.mask == 0)
    near = ndimage.distance_transform_edt(source.mask == 0, sampling=grid.spacing_mm) < 15
    bones, lungs = (
        grid.to_world(np.argwhere(where).astype(np.float64))
        for where in (bone & near, ndimage.binary_erosion(source.mask > 0))
    )
    low = lungs[:, 2] < np.percentile(lungs[:, 2], 25)
    at_bones = sum(field.at(bones)[:, 2] for field in motion.smooth[:1])
    at_lungs = (motion.at(lungs[low]) - lungs[low])[:, 2]
    assert np.percentile(np.abs(at_bones), 90) < 0.2 * np.abs(at_lungs).mean()
    assert np.abs(at_lungs).mean() > 8.0


@pytest.mark.parametrize("seed", [1, 2])
def test_offsets_are_those_that_ingest_finds(seed: int) -> None:
    """The case of a scan stored 1000 above HU says so."""
    case = make_varied("small", "offset1000", seed)
    known = case.pair.case.fixed_hu_offset, case.pair.case.moving_hu_offset
    scans = (("fixed", case.pair.fixed), ("moving", case.pair.moving))
    assert known == tuple(check_units(role, scan, None)[0] for role, scan in scans)
    assert max(known) == 1000.0


@pytest.mark.real
def test_a_real_ct_moves_as_told(real_data: Path) -> None:
    """On real CT the truth carries structures as well."""
    case = make_varied("cip_ct64", "turned20_lr", 1)
    points = near_lungs(case)
    moved, grid = case.true_moving(points), case.pair.moving.grid
    inside = grid.contains(moved)
    shown = at(case.pair.fixed_hu, case.pair.fixed.grid, points)
    assert alike(shown, at(case.pair.moving_hu, grid, moved), inside) > 0.85


def test_few_seeds_are_tuned_on() -> None:
    """Whoever wants to tune on more seeds takes them from those that figures are reported of."""
    assert [seed for seed in range(20) if not is_held_back(seed)] == [1, 2, 4, 5, 7]


def near_lungs(case: VariedCase) -> NDArray[np.float64]:
    """(N, 3) RAS mm in and just around the fixed scan's lungs, every 20th voxel."""
    near = ndimage.binary_dilation(case.fixed_mask > 0, iterations=1)
    voxels = np.argwhere(near)[::20].astype(np.float64)
    return case.pair.fixed.grid.to_world(voxels).astype(np.float64)


def data(shown: NDArray[np.bool_] | None, grid: Grid, points_ras: NDArray[np.float64]) -> Any:
    """Where a scan is no padding."""
    return True if shown is None else at(shown.astype(np.float32), grid, points_ras) > 0.999


def at(
    values: NDArray[np.generic], grid: Grid, points: NDArray[np.float64], *, order: int = 1
) -> NDArray[np.float64]:
    places = grid.to_voxel(points).T
    values = values.astype(float)
    return np.asarray(ndimage.map_coordinates(values, places, order=order, mode="nearest"))


def alike(a: NDArray[np.float64], b: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(np.corrcoef(a[where], b[where])[0, 1])
