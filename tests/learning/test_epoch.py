"""One pass over cases: each once, one worker or several, means over those that have a term."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lungreg.config import Config
from lungreg.learning.epoch import (
    Learner,
    OneWorker,
    Workers,
    batches,
    error_of,
    train_epoch,
    validate,
)
from lungreg.learning.losses import LossInput, case_terms
from lungreg.learning.network import build_network, predict
from lungreg.learning.prepared_cases import prepare_case
from lungreg.learning.preprocessing import PreparedPair
from lungreg.records import Case
from lungreg.spatial.displacement import sample, warp
from lungreg.spatial.geometry import apply_affine
from lungreg.testing import MemoryStage
from tests.grids import voxels
from tests.learning.thread_workers import on_threads
from tests.small_cases import breath, put_case, small_config

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
STILL = {
    "rotation_deg": None,
    "translation_vox": None,
    "scale": None,
    "noise_std": None,
    "blur_sigma": None,
}
LOSS = {"mutual_information": 1.0, "bending_energy": 0.5, "dice": 2.0, "landmarks": 0.1}
CONFIG = small_config(
    loss=LOSS,
    train={"batch_size": 2},
    preprocessing={"augmentation": STILL},  # type: ignore[dict-item]
)

Load = Callable[[Case], PreparedPair]


class GivenField(nn.Module):
    """A network that always gives one displacement, whatever it is shown."""

    def __init__(self, field_vox: Tensor) -> None:
        super().__init__()
        self.field_vox = field_vox

    def forward(self, pair: Tensor) -> Tensor:
        """(B, 3, X, Y, Z) in voxels."""
        return self.field_vox.expand(len(pair), -1, -1, -1, -1)


@pytest.fixture(scope="module")
def cohort() -> tuple[list[Case], Load]:
    """Five cases: two with everything, one without landmarks, one without masks, one bare."""
    stage = MemoryStage()
    has = [(True, True), (True, False), (False, True), (False, False), (True, True)]
    cases = [
        put_case(stage, f"case_{i}", seed=i, masks=masks, points=points)
        for i, (masks, points) in enumerate(has)
    ]
    made = {case.case_id: prepare_case(stage, case, CONFIG.preprocessing) for case in cases}
    return cases, lambda case: made[case.case_id]


@cache
def _moving_network() -> nn.Module:
    """Made once: threads that draw weights at the same time would draw different ones."""
    torch.manual_seed(0)
    network = build_network(CONFIG.network)
    with torch.no_grad():
        for parameter in network.output_block.parameters():  # type: ignore[union-attr]
            parameter.normal_(std=0.05)
    return network


def make_learner(*, rate: float = 0.01, scaled: bool = False) -> Learner:
    """A network past its zero start, with plain gradient descent: steps show the gradients."""
    network = copy.deepcopy(_moving_network())
    return Learner(
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=rate),
        scaler=torch.amp.GradScaler("cpu", enabled=scaled),
        device=CPU,
        mixed_precision=False,
    )


def trained(
    cohort: tuple[list[Case], Load],
    workers: Workers,
    *,
    config: Config = CONFIG,
    rate: float = 0.001,
    scaled: bool = False,
) -> tuple[dict[str, float], Tensor]:
    """Metrics of one epoch, and the weights after it as one vector."""
    learner = make_learner(rate=rate, scaled=scaled)
    metrics = train_epoch(learner, *cohort, config, epoch=1, workers=workers)
    return metrics, nn.utils.parameters_to_vector(learner.network.parameters()).detach()


def loss_inputs(network: nn.Module, pair: PreparedPair) -> LossInput:
    """A pair after the network, built by hand."""
    fixed, moving = pair.fixed[None], pair.moving[None]
    return LossInput(
        fixed=fixed,
        moving=moving,
        displacement_vox=predict(network, fixed, moving),
        grid=pair.grid,
        fixed_mask=None if pair.fixed_mask is None else pair.fixed_mask[None].float(),
        moving_mask=None if pair.moving_mask is None else pair.moving_mask[None].float(),
        fixed_points_vox=pair.fixed_points_vox,
        moving_points_vox=pair.moving_points_vox,
    )


class TestBatches:
    @given(
        count=st.integers(0, 20), size=st.integers(1, 6), seed=st.integers(0, 9), epoch=st.just(3)
    )
    def test_every_case_once(self, count: int, size: int, seed: int, epoch: int) -> None:
        """No case twice, none left out, no batch padded."""
        cases = [Case(case_id=str(i), fixed="f", moving="m") for i in range(count)]
        found = batches(cases, size=size, seed=seed, epoch=epoch)
        assert sorted(case.case_id for batch in found for case in batch) == sorted(
            case.case_id for case in cases
        )
        assert all(len(batch) == size for batch in found[:-1])
        assert all(1 <= len(batch) <= size for batch in found)

    def test_order_is_drawn_from_seed_and_epoch(self) -> None:
        """Each epoch has its own order, whatever order the cases come in."""
        cases = [Case(case_id=str(i), fixed="f", moving="m") for i in range(8)]
        first = batches(cases, size=3, seed=0, epoch=1)
        assert batches(cases[::-1], size=3, seed=0, epoch=1) == first
        assert batches(cases, size=3, seed=0, epoch=2) != first
        assert batches(cases, size=3, seed=1, epoch=1) != first


class TestTrainEpoch:
    def test_shows_each_case_once(self, cohort: tuple[list[Case], Load]) -> None:
        """One load per case and epoch, over all workers."""
        shown: list[str] = []

        def load(case: Case) -> PreparedPair:
            shown.append(case.case_id)
            return cohort[1](case)

        for count in (1, 3):
            shown.clear()
            on_threads(
                count,
                lambda worker: train_epoch(
                    make_learner(), cohort[0], load, CONFIG, epoch=1, workers=worker
                ),
            )
            assert sorted(shown) == [case.case_id for case in cohort[0]]

    def test_metrics_are_means_over_cases_that_have_them(
        self, cohort: tuple[list[Case], Load]
    ) -> None:
        """With a rate of nothing the network stays: each term is a mean that can be worked out."""
        learner = make_learner(rate=0.0)
        metrics = train_epoch(learner, *cohort, CONFIG, epoch=1, workers=OneWorker())
        with torch.no_grad():
            given = [loss_inputs(learner.network, cohort[1](case)) for case in cohort[0]]
            terms = [case_terms(case, CONFIG.loss) for case in given]
        expected = {
            name: float(np.mean([float(t[name]) for t in terms if name in t])) for name in LOSS
        }
        assert [sum(name in t for t in terms) for name in LOSS] == [5, 5, 3, 3]
        expected["loss"] = sum(LOSS[name] * value for name, value in expected.items())
        assert metrics == pytest.approx(expected, rel=1e-4)

    def test_gradient_is_that_of_the_batch(self, cohort: tuple[list[Case], Load]) -> None:
        """One step is down the gradient of the terms' means over the cases that have them."""
        config = small_config(
            loss=LOSS,
            train={"batch_size": 5},
            preprocessing={"augmentation": STILL},  # type: ignore[dict-item]
        )
        _, after = trained(cohort, OneWorker(), config=config, rate=0.01)
        learner = make_learner()
        before = nn.utils.parameters_to_vector(learner.network.parameters()).detach()
        given = [loss_inputs(learner.network, cohort[1](case)) for case in cohort[0]]
        terms = [case_terms(case, config.loss) for case in given]
        means = {name: torch.stack([t[name] for t in terms if name in t]).mean() for name in LOSS}
        torch.stack([LOSS[name] * value for name, value in means.items()]).sum().backward()
        gradient = torch.cat([p.grad.reshape(-1) for p in learner.network.parameters()])  # type: ignore[union-attr]
        assert gradient.norm() > 1e-3
        torch.testing.assert_close(after, before - 0.01 * gradient, atol=1e-6, rtol=1e-4)

    @pytest.mark.parametrize("count", [2, 3])
    def test_workers_learn_what_one_learns(
        self, cohort: tuple[list[Case], Load], count: int
    ) -> None:
        """Five cases in batches of two: with more workers some have no case now and then."""
        metrics, weights = trained(cohort, OneWorker())
        for shared, theirs in on_threads(count, lambda worker: trained(cohort, worker)):
            assert shared == pytest.approx(metrics, rel=1e-4)
            torch.testing.assert_close(theirs, weights, atol=1e-5, rtol=0)
        moved = make_learner()
        start = nn.utils.parameters_to_vector(moved.network.parameters()).detach()
        assert (weights - start).abs().max() > 3e-4

    def test_scaled_gradients_are_shared_too(self, cohort: tuple[list[Case], Load]) -> None:
        """With mixed precision's scaler a worker without any case steps like the others."""
        one_case = (cohort[0][:1], cohort[1])
        _, expected = trained(one_case, OneWorker())
        for _, weights in on_threads(2, lambda w: trained(one_case, w, scaled=True)):
            torch.testing.assert_close(weights, expected, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("scaled", [False, True])
    def test_batch_without_any_term_takes_no_step(
        self, cohort: tuple[list[Case], Load], scaled: bool
    ) -> None:
        """A case that has nothing the loss needs leaves the network alone, and has no loss."""
        bare = (cohort[0][3:4], cohort[1])
        config = small_config(loss={"mutual_information": 0.0, "bending_energy": 0.0, "dice": 1.0})
        start = nn.utils.parameters_to_vector(make_learner().network.parameters())
        metrics, weights = trained(bare, OneWorker(), config=config, scaled=scaled)
        assert metrics == {}
        assert torch.equal(weights, start)

    def test_augmentation_is_drawn_for_each_epoch(self, cohort: tuple[list[Case], Load]) -> None:
        """The same network sees other pairs in another epoch, and the same in the same one."""
        config = small_config(loss=LOSS)
        losses = [
            train_epoch(make_learner(rate=0.0), *cohort, config, epoch=epoch, workers=OneWorker())[
                "loss"
            ]
            for epoch in (1, 1, 2)
        ]
        assert losses[0] == losses[1]
        assert abs(losses[0] - losses[2]) > 1e-4


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
