"""The refinement of a whole pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lungreg.config import Refine
from lungreg.formats.volumes import Volume
from lungreg.metrics import dice
from lungreg.registration.alignment import align
from lungreg.registration.pair import Estimated, Pair
from lungreg.registration.refinement import Plan, Step, plan_for, refine, refinement_estimate
from lungreg.registration.refinement.plan import Level
from lungreg.spatial.displacement import dense_displacement, jacobian_determinant, resample
from lungreg.spatial.geometry import Grid, Transform
from tests.grids import oblique_grid
from tests.registration.refinement.breathing_pairs import as_pair, mean_error_mm, simulated
from tests.registration.refinement.sliding_pair import FAR, error_mm, sliding_pair

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CPU = torch.device("cpu")
FAST = plan_for("fast")


def refined(pair: Pair, plan: Plan = FAST, seed: int = 0) -> tuple[Transform, float]:
    """The transform from the chosen alignment on, and the error of that alignment alone."""
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    nothing = Transform(
        affine=affine,
        displacement_mm=np.zeros((3, 2, 2, 2), dtype=np.float32),
        grid=pair.fixed.grid.resized((2, 2, 2)),
    )
    found = refine(pair, affine, plan, device=CPU, seed=seed).transform
    return found, mean_error_mm(pair, nothing)


@pytest.fixture(scope="module")
def plain() -> Transform:
    """The transform of the pair that most tests take."""
    return refined(as_pair(simulated()))[0]


def lung_overlap(pair: Pair, transform: Transform) -> float:
    """Dice of the masks."""
    assert pair.fixed_mask is not None
    assert pair.moving_mask is not None
    dense = dense_displacement(transform, pair.fixed.grid)
    grids = pair.moving.grid, pair.fixed.grid
    moved = resample(pair.moving_mask, *grids, transform.affine, dense, mode="nearest").values > 0
    return dice(pair.fixed_mask > 0, moved)


def folded(pair: Pair, transform: Transform, lungs: np.ndarray) -> int:
    """Voxels of the lungs that fold."""
    dense = dense_displacement(transform, pair.fixed.grid)
    return int((jacobian_determinant(transform.affine, dense, pair.fixed.grid)[lungs] <= 0).sum())


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("diaphragm_mm", [15.0, 40.0])
def test_large_and_small_breaths(diaphragm_mm: float, masks: bool) -> None:
    """Landmarks come within half a voxel or so of 5.2 mm, with and without masks; nothing folds."""
    made = simulated(diaphragm_mm)
    pair = as_pair(made, masks=masks)
    found, before = refined(pair)
    assert mean_error_mm(pair, found) < min(3.0, 0.6 * before)
    assert folded(pair, found, made.fixed_mask > 0) == 0


def test_bases_cut_off_do_not_pull() -> None:
    """What the expiration does not show is not sought."""
    made = simulated(30.0, cutoff_mm=40.0)
    pair = as_pair(made)
    found, before = refined(pair)
    assert mean_error_mm(pair, found) < min(4.0, 0.6 * before)


def test_outlines_draw_the_lungs_together() -> None:
    """Where the scans show nothing, what is known of the lungs still counts."""
    made = simulated()
    flat = (np.full_like(scan, -500.0) for scan in (made.fixed, made.moving))
    pair = as_pair(replace(made, **dict(zip(("fixed", "moving"), flat, strict=True))))
    overlaps = []
    for weight in (0.0, 0.2):
        level = Level(spacing_mm=8.0, steps=60, overlap=weight)
        plan = replace(FAST, levels=(level,), search_mm=0.0)
        overlaps.append(lung_overlap(pair, refine(pair, np.eye(4), plan, device=CPU).transform))
    assert overlaps[1] > overlaps[0] + 0.05
    assert overlaps[1] > 0.85


def test_lungs_slide_along_a_wall_that_stays() -> None:
    """Near the wall less than half of the error of a motion that is smooth across it."""
    pair, default = sliding_pair(), plan_for("default")
    glued = [
        replace(level, around_weight=1.0, body_weight=0.5, wall_stiffness=1.0)
        for level in default.levels
    ]
    near, deep = (3.0, 8.0), (8.0, 20.0)
    free, held = (
        refine(pair, np.eye(4), plan, device=CPU).transform
        for plan in (default, replace(default, levels=tuple(glued)))
    )
    assert error_mm(free, near) < min(0.6, 0.5 * error_mm(held, near))
    assert error_mm(free, deep) < 0.25


def test_lungs_slide_far_along_a_wall_that_stays() -> None:
    """Large parts of the lungs alone lead there; without them the body holds the lungs back."""
    pair, near = sliding_pair(FAR), (3.0, 8.0)
    at_once = replace(FAST, levels=tuple(level for level in FAST.levels if level.control < 8))
    led, held = (refine(pair, np.eye(4), plan, device=CPU).transform for plan in (FAST, at_once))
    assert error_mm(led, near, FAR) < min(0.5, 0.3 * error_mm(held, near, FAR))


def test_an_offset_changes_nothing(plain: Transform) -> None:
    """HU + 1000 in the files gives the same transform."""
    shifted, _ = refined(as_pair(simulated(), offset=1000.0))
    np.testing.assert_allclose(plain.displacement_mm, shifted.displacement_mm, atol=1e-3)


def test_tilted_flipped_and_anisotropic_grids(plain: Transform) -> None:
    """Where the voxels lie is no matter: the same patient gives about the same error."""
    made = simulated()
    pair = as_pair(made)
    straight = mean_error_mm(pair, plain)
    centre = tuple(made.fixed_grid.centre_ras)
    fixed = oblique_grid(
        (80, 52, 74), spacing_mm=(4.0, 5.0, 4.5), centre_ras=centre, axes=(0, 2, 1)
    )
    moving = oblique_grid((60, 80, 76), spacing_mm=(5.0, 4.0, 4.4), centre_ras=centre)
    found, _ = refined(_carried(pair, fixed, moving))
    assert mean_error_mm(pair, found) < 1.6 * straight


def test_same_seed_same_bits() -> None:
    """And another seed looks at the places in another order."""
    pair = as_pair(simulated())
    plan = replace(FAST, samples=5_000, levels=(Level(spacing_mm=8.0, steps=30),))
    one, two, other = (refined(pair, plan, seed)[0].displacement_mm for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_good_start_needs_fewer_steps() -> None:
    """From another estimate the search and the coarsest level are left out, and it is as good."""
    pair = as_pair(simulated())
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    whole = refine(pair, affine, FAST, device=CPU)
    steps: list[Step] = []
    again = refine(pair, affine, FAST, device=CPU, start=whole.transform, on_step=steps.append)
    assert again.steps < whole.steps
    levels = FAST.continued().levels
    assert [(step.level, step.levels, step.done, step.total) for step in steps] == [
        (number, len(levels), done, level.steps)
        for number, level in enumerate(levels, start=1)
        for done in range(1, level.steps + 1)
    ]
    assert [step.number for step in steps] == list(range(1, again.steps + 1))
    errors_mm = [mean_error_mm(pair, step.transform()) for step in steps]
    reached = mean_error_mm(pair, whole.transform)
    assert max(errors_mm) < 1.5 * reached
    assert errors_mm[-1] < 1.1 * reached


def test_estimate_goes_on_from_another() -> None:
    """The switch in `infer`: the network's transform is where it starts."""
    pair = as_pair(simulated())
    asked: list[np.ndarray] = []

    def start(given: Pair, affine: np.ndarray) -> Estimated:
        asked.append(affine)
        grid = given.fixed.grid.resized((4, 4, 4))
        nothing = np.zeros((3, 4, 4, 4), dtype=np.float32)
        return Estimated(transform=Transform(affine=affine, displacement_mm=nothing, grid=grid))

    settings = Refine(enabled=True, preset="fast")
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    found = refinement_estimate(settings, CPU, start=start)(pair, affine)
    assert len(asked) == 1
    assert found.notes == ()
    np.testing.assert_array_equal(found.transform.affine, affine)


def _carried(pair: Pair, fixed: Grid, moving: Grid) -> Pair:
    """The same patient on other grids."""

    def volume(scan: Volume, grid: Grid) -> Volume:
        values = resample(scan.data, scan.grid, grid, np.eye(4), outside_value=-1000.0).values
        return replace(scan, data=values, grid=grid)

    return replace(
        pair,
        fixed=volume(pair.fixed, fixed),
        moving=volume(pair.moving, moving),
        fixed_mask=None,
        moving_mask=None,
        landmarks_vox=None,
    )


def test_a_scan_of_few_slices_keeps_the_alignment() -> None:
    """Thinner than the coarse levels show it: there is no place to compare, and nothing moves."""
    pair = as_pair(simulated(), masks=False)
    few = (slice(None), slice(None), slice(20, 23))
    fixed = replace(
        pair.fixed,
        data=np.ascontiguousarray(pair.fixed.data[few]),
        grid=pair.fixed.grid.cropped(few),
    )
    found = refine(replace(pair, fixed=fixed), np.eye(4), FAST, device=CPU).transform
    assert found.displacement_mm is not None
    assert not found.displacement_mm.any()


def test_steps_of_the_way_back_are_told_as_the_last_level() -> None:
    """Counted on, and with the transform that both ways lead to so far."""
    pair = as_pair(simulated())
    plan = plan_for("default")
    steps: list[Step] = []
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    done = refine(pair, affine, plan, device=CPU, on_step=steps.append)
    assert plan.back is not None
    assert [step.number for step in steps] == list(range(1, done.steps + 1))
    last = [step for step in steps if step.level == plan.level_count]
    assert [step.done for step in last] == list(range(1, plan.back.steps + 1))
    assert {step.levels for step in steps} == {plan.level_count}
    reached = mean_error_mm(pair, done.transform)
    assert mean_error_mm(pair, last[-1].transform()) == pytest.approx(reached, rel=0.1)


@pytest.mark.parametrize("diaphragm_mm", [15.0, 25.0])
def test_both_ways_err_less_than_one(diaphragm_mm: float) -> None:
    """By a tenth on these pairs of 5 mm voxels."""
    pair, plan = as_pair(simulated(diaphragm_mm)), plan_for("default")
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    one, both = (
        mean_error_mm(pair, refine(pair, affine, which, device=CPU).transform)
        for which in (replace(plan, back=None), plan)
    )
    assert both < 0.97 * one
