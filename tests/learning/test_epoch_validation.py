"""Validation: the metrics of a network on cases, alone or shared among workers."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lungreg.learning.epoch import error_of, validate
from lungreg.learning.network import build_network
from lungreg.learning.workers import OneWorker
from lungreg.records import Case
from lungreg.spatial.displacement import sample, warp
from lungreg.spatial.geometry import apply_affine
from tests.grids import voxels
from tests.learning.epoch_cases import (
    CONFIG,
    CPU,
    LOSS,
    Load,
    five_cases,
    loss_inputs,
    make_learner,
)
from tests.learning.thread_workers import on_threads
from tests.small_cases import breath

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def cohort() -> tuple[list[Case], Load]:
    """Five cases, and how to load them."""
    return five_cases()


class GivenField(nn.Module):
    """A network that always gives one displacement, whatever it is shown."""

    def __init__(self, field_vox: Tensor) -> None:
        super().__init__()
        self.field_vox = field_vox

    def forward(self, pair: Tensor) -> Tensor:
        """(B, 3, X, Y, Z) in voxels."""
        return self.field_vox.expand(len(pair), -1, -1, -1, -1)


class TestValidate:
    def test_untrained_network_gives_the_alignment(self, cohort: tuple[list[Case], Load]) -> None:
        """Nothing moves: Dice and landmark error are those of the prepared pair, nothing folds."""
        case = cohort[0][0]
        pair = cohort[1](case)
        found = validate(
            build_network(CONFIG.network),
            [case],
            cohort[1],
            CONFIG,
            device=CPU,
            workers=OneWorker(),
        )
        masks = pair.fixed_mask, pair.moving_mask
        assert masks[0] is not None
        assert masks[1] is not None
        overlap = 2 * float((masks[0] * masks[1]).sum()) / float(masks[0].sum() + masks[1].sum())
        fixed, moving = (
            pair.grid.to_world(points.double().numpy())
            for points in (pair.fixed_points_vox, pair.moving_points_vox)
            if points is not None
        )
        assert found["dice_score"] == pytest.approx(overlap)
        expected_mm = np.linalg.norm(fixed - moving, axis=1).mean()
        assert found["tre_mm"] == pytest.approx(expected_mm, rel=1e-5)
        assert found["fold_pct"] == 0.0
        assert found["bending_energy"] == 0.0
        assert found["loss"] == pytest.approx(sum(LOSS[k] * found[k] for k in LOSS), rel=1e-5)

    def test_true_field_leaves_no_error(self, cohort: tuple[list[Case], Load]) -> None:
        """The map that the case was made with brings landmarks and lungs together."""
        case = cohort[0][0]
        grid = cohort[1](case).grid
        index = voxels(grid)
        field = grid.to_voxel(apply_affine(breath(0), grid.to_world(index))) - index
        network = GivenField(torch.from_numpy(field.T.reshape(1, 3, *grid.shape)).float())
        found = validate(network, [case], cohort[1], CONFIG, device=CPU, workers=OneWorker())
        assert found["tre_mm"] < 0.05
        assert found["dice_score"] > 0.8
        assert found["fold_pct"] == 0.0

    def test_folds_are_counted_in_the_lungs(self, cohort: tuple[list[Case], Load]) -> None:
        """A field that turns everything round folds 100 % of the lungs."""
        case = cohort[0][0]
        grid = cohort[1](case).grid
        field = torch.zeros(1, 3, *grid.shape)
        field[0, 0] = -2.0 * torch.arange(16.0)[:, None, None]
        found = validate(
            GivenField(field), [case], cohort[1], CONFIG, device=CPU, workers=OneWorker()
        )
        assert found["fold_pct"] == 100.0

    def test_means_are_over_those_that_have_each(self, cohort: tuple[list[Case], Load]) -> None:
        """The mean of the whole is made of the single cases' values."""
        network = make_learner().network
        alone = [
            validate(network, [case], cohort[1], CONFIG, device=CPU, workers=OneWorker())
            for case in cohort[0]
        ]
        assert ["dice_score" in found for found in alone] == [True, True, False, False, True]
        assert ["tre_mm" in found for found in alone] == [True, False, True, False, True]
        whole = validate(network, *cohort, CONFIG, device=CPU, workers=OneWorker())
        for name in ("dice_score", "tre_mm", "fold_pct", "mutual_information", "dice"):
            values = [found[name] for found in alone if name in found]
            assert whole[name] == pytest.approx(float(np.mean(values)), rel=1e-4)

    def test_workers_find_what_one_finds(self, cohort: tuple[list[Case], Load]) -> None:
        """Cases are dealt out and the means put together, also where a worker has none."""
        network = make_learner().network
        for cases in (cohort[0], cohort[0][:1]):
            whole = validate(network, cases, cohort[1], CONFIG, device=CPU, workers=OneWorker())
            for found in on_threads(
                2,
                lambda w, cases=cases: validate(  # type: ignore[misc]
                    copy.deepcopy(network), cases, cohort[1], CONFIG, device=CPU, workers=w
                ),
            ):
                assert found == pytest.approx(whole, rel=1e-5)

    def test_metrics_are_those_of_the_functions(self, cohort: tuple[list[Case], Load]) -> None:
        """Dice is of nearest-neighbour masks, the landmark error of the field at each landmark."""
        network = make_learner().network.eval()
        case = cohort[0][4]
        with torch.no_grad():
            given = loss_inputs(network, cohort[1](case))
        found = validate(network, [case], cohort[1], CONFIG, device=CPU, workers=OneWorker())
        assert given.fixed_mask is not None
        assert given.moving_mask is not None
        warped = warp(given.moving_mask, given.displacement_vox, mode="nearest")
        dice = 2 * (warped * given.fixed_mask).sum() / (warped.sum() + given.fixed_mask.sum())
        assert found["dice_score"] == pytest.approx(float(dice), rel=1e-5)
        points, target = given.fixed_points_vox, given.moving_points_vox
        assert points is not None
        assert target is not None
        moved = points + sample(given.displacement_vox, points.T[None])[0].T
        gap = given.grid.to_world(moved.detach().double().numpy()) - given.grid.to_world(
            target.double().numpy()
        )
        assert found["tre_mm"] == pytest.approx(np.linalg.norm(gap, axis=1).mean(), rel=1e-4)


def test_error_is_the_best_that_is_known() -> None:
    """Landmarks before masks before the loss; without any of them nothing is worse."""
    assert error_of({"tre_mm": 2.0, "dice_score": 0.9, "loss": 7.0}) == 2.0
    assert error_of({"dice_score": 0.9, "loss": 7.0}) == pytest.approx(0.1)
    assert error_of({"loss": 7.0}) == 7.0
    assert math.isinf(error_of({}))
