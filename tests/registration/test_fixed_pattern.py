"""Structure that stays in the scanner while tissue moves: random tissue, moved by a known step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.fixed_pattern import correlation_in_place
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Grid, Transform, affine_transform

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE, SPACING_MM = (44, 44, 48), 2.0
GRID = Grid(shape=SHAPE, affine=np.diag([SPACING_MM] * 3 + [1.0]))
CENTRE = (np.array(SHAPE) - 1) / 2
Values = NDArray[np.float32]


def tissue(grain_vox: float = 1.2) -> Values:
    """Random tissue of the lungs, HU."""
    noise = np.random.default_rng(1).normal(size=SHAPE)
    smooth = gaussian_filter(noise, grain_vox, mode="wrap")
    return (-800 + 80 * smooth / smooth.std()).astype(np.float32)


def rings() -> Values:
    """Rings around the middle of the field of view, SD 1, the same in every slice."""
    x, y, _ = np.indices(SHAPE)
    radius = np.hypot(x - CENTRE[0], y - CENTRE[1]).astype(int)
    strength = np.random.default_rng(2).normal(size=radius.max() + 1)
    return strength[radius].astype(np.float32)


def pair_of(fixed: Values, moving: Values, grid: Grid = GRID) -> Pair:
    """Two scans with one mask."""
    inside = (((np.indices(SHAPE).T - CENTRE) / (0.42 * np.array(SHAPE))) ** 2).sum(axis=-1).T < 1
    stored = Stored(dtype="int16")
    mask = inside.astype(np.uint8)
    return Pair(
        case=Case(case_id="a", fixed="", moving=""),
        fixed=Volume(data=fixed, grid=GRID, stored=stored),
        moving=Volume(data=moving, grid=grid, stored=stored),
        fixed_mask=mask,
        moving_mask=mask,
        landmarks_vox=None,
    )


def moved(steps: int, grid: Grid = GRID) -> tuple[Values, Transform]:
    """The tissue so many voxels further up, and the transform that says so."""
    affine = grid.affine @ np.linalg.inv(GRID.affine)
    affine[2, 3] += SPACING_MM * steps
    return np.roll(tissue(), steps, axis=2), affine_transform(affine, GRID.resized((2, 2, 2)))


def test_tissue_that_moves_away_does_not_correlate() -> None:
    """About 0, whatever the noise of both."""
    moving, transform = moved(4)
    noise = np.random.default_rng(3).normal(0, 40, (2, *SHAPE)).astype(np.float32)
    found = correlation_in_place(pair_of(tissue() + noise[0], moving + noise[1]), transform)
    assert found is not None
    assert abs(found) < 0.1


def test_coarse_grain_is_no_pattern() -> None:
    """Tissue a short way off is alike by its grain, as in scans on finer voxels than they show."""
    coarse, steps = tissue(grain_vox=2.5), 3
    moving, (_, transform) = np.roll(coarse, steps, axis=2), moved(steps)
    raw = np.corrcoef(coarse.ravel(), moving.ravel())[0, 1]
    assert raw > 0.6
    found = correlation_in_place(pair_of(coarse, moving), transform)
    assert found is not None
    assert found < 0.1
    ringed = correlation_in_place(pair_of(coarse + 60 * rings(), moving + 60 * rings()), transform)
    assert ringed is not None
    assert ringed > 0.25


@pytest.mark.parametrize("kind", ["rings", "blend"])
def test_what_stays_in_the_scanner_correlates(kind: str) -> None:
    """Rings in both scans; a third of the fixed scan mixed into the moving one."""
    moving, transform = moved(4)
    fixed = tissue()
    if kind == "rings":
        pair = pair_of(fixed + 60 * rings(), moving + 60 * rings())
    else:
        pair = pair_of(fixed, np.float32(0.67) * moving + np.float32(0.33) * fixed)
    found = correlation_in_place(pair, transform)
    assert found is not None
    assert found > 0.25


def test_another_table_position_hides_nothing() -> None:
    """Rings lie at the same voxels where the headers' worlds differ."""
    affine = GRID.affine.copy()
    affine[:3, 3] += [7.0, 5.0, 900.0]
    elsewhere = replace(GRID, affine=affine)
    moving, transform = moved(4, elsewhere)
    pair = pair_of(tissue() + 60 * rings(), moving + 60 * rings(), elsewhere)
    found = correlation_in_place(pair, transform)
    assert found is not None
    assert found > 0.25


def held_still(steps: int) -> Transform:
    """An affine part that moves by so many voxels, and a displacement that takes it back."""
    _, away = moved(steps)
    back = np.zeros((3, 2, 2, 2), dtype=np.float32)
    back[2] = -SPACING_MM * steps
    return replace(away, displacement_mm=back)


def test_a_transform_that_a_pattern_holds_still_is_judged() -> None:
    """It moves nothing far, but its alignment does: what it holds correlates with the same place.

    Where tissue did move and the transform says so, the same pattern is found as before.
    """
    moving, _ = moved(4)
    pair = pair_of(tissue() + 160 * rings(), moving + 160 * rings())
    found = correlation_in_place(pair, held_still(4))
    assert found is not None
    assert found > 0.25
    assert correlation_in_place(pair, held_still(1)) is None


def test_what_a_pattern_holds_is_found_under_any_header() -> None:
    """Another shape and another world: what `T` holds is shifted as a whole."""
    moving, _ = moved(4)
    pair = pair_of(tissue() + 160 * rings(), moving + 160 * rings())
    shift = np.eye(4)
    shift[:3, 3] = (300.0, -40.0, 900.0)
    kept = np.s_[:, :, 3:]
    cropped = Grid(shape=moving[kept].shape, affine=shift @ GRID.cropped(kept).affine)
    elsewhere = replace(
        pair,
        moving=replace(pair.moving, data=pair.moving.data[kept], grid=cropped),
        moving_mask=pair.moving_mask[kept],
    )
    still = held_still(4)
    found = correlation_in_place(elsewhere, replace(still, affine=shift @ still.affine))
    assert found is not None
    assert found > 0.25


def test_tissue_that_is_still_in_a_small_part_is_no_pattern() -> None:
    """An apex rests while the lungs as a whole move: `T` takes the alignment back there."""
    steps = 4
    resting = np.arange(SHAPE[2]) >= SHAPE[2] * 0.7
    moving = np.where(resting, tissue(), np.roll(tissue(), steps, axis=2))
    _, away = moved(steps)
    grid = GRID.resized((2, 2, SHAPE[2]))
    back = np.zeros((3, *grid.shape), dtype=np.float32)
    back[2, :, :, resting] = -SPACING_MM * steps
    transform = Transform(affine=away.affine, displacement_mm=back, grid=grid)
    found = correlation_in_place(pair_of(tissue(), moving), transform)
    assert found is not None
    assert abs(found) < 0.1


def test_scans_of_one_breath_are_not_judged() -> None:
    """Where tissue stays, it correlates itself."""
    moving, transform = moved(1)
    assert correlation_in_place(pair_of(tissue(), moving), transform) is None
    same = affine_transform(np.eye(4), GRID.resized((2, 2, 2)))
    assert correlation_in_place(pair_of(tissue(), tissue()), same) is None


@pytest.mark.parametrize("kept", [np.s_[20:21], np.s_[20:21, 20:21, 20:21]], ids=["slice", "voxel"])
def test_masks_that_hold_next_to_nothing_are_not_judged(kept: tuple[slice, ...]) -> None:
    """Nothing is left of them away from their ends."""
    moving, transform = moved(4)
    few = np.zeros(SHAPE, dtype=np.uint8)
    few[kept] = 1
    pair = replace(pair_of(tissue(), moving), fixed_mask=few)
    assert correlation_in_place(pair, transform) is None


def test_a_header_elsewhere_is_no_motion() -> None:
    """Tissue that stays at its voxel is compared with other tissue alone, by the headers' world."""
    affine = GRID.affine.copy()
    affine[:3, 3] += [0.0, 0.0, 12.0]
    elsewhere = replace(GRID, affine=affine)
    noise = np.random.default_rng(3).normal(0, 20, SHAPE).astype(np.float32)
    pair = pair_of(tissue(), tissue() + noise, elsewhere)
    shifted = affine_transform(affine @ np.linalg.inv(GRID.affine), GRID.resized((2, 2, 2)))
    found = correlation_in_place(pair, shifted)
    assert found is not None
    assert abs(found) < 0.1
