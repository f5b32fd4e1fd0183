"""One pass over cases: each once, one worker or several, means over those that have a term."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lungreg.config import Config
from lungreg.learning.epoch import batches, train_epoch
from lungreg.learning.losses import TERMS, case_terms
from lungreg.learning.preprocessing import PreparedPair
from lungreg.learning.workers import OneWorker, Workers
from lungreg.records import Case
from tests.learning.epoch_cases import (
    CONFIG,
    LOSS,
    STILL,
    Load,
    five_cases,
    loss_inputs,
    make_learner,
)
from tests.learning.thread_workers import on_threads
from tests.small_cases import small_config

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def cohort() -> tuple[list[Case], Load]:
    """Five cases, and how to load them."""
    return five_cases()


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
    @pytest.mark.parametrize("helpers", [1, 3, 8])
    def test_cases_made_ahead_change_nothing(
        self, cohort: tuple[list[Case], Load], helpers: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As beside a GPU: the same losses and weights to the bit, in the same order."""
        metrics, weights = trained(cohort, OneWorker())
        monkeypatch.setattr("lungreg.learning.epoch.helpers_beside", lambda _: helpers)
        ahead_metrics, ahead_weights = trained(cohort, OneWorker())
        assert ahead_metrics == metrics
        assert torch.equal(ahead_weights, weights)

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

    def test_any_term_may_lack_its_data(
        self, cohort: tuple[list[Case], Load], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new term in TERMS is averaged over the cases that it is not None for."""
        monkeypatch.setitem(TERMS, "lncc", TERMS["dice"])  # type: ignore[arg-type]
        first, second = (
            trained(cohort, OneWorker(), config=small_config(loss={"dice": 0.0, name: 2.0}))
            for name in ("dice", "lncc")
        )
        assert first[0]["dice"] == second[0]["lncc"]
        assert torch.equal(first[1], second[1])

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
