"""A training run that was stopped goes on as if it never had been."""

from __future__ import annotations

import json

import pytest

from lungreg.errors import RunError, StoreUnavailableError
from lungreg.learning.training import run_epochs
from lungreg.learning.workers import OneWorker
from lungreg.records import Case, Split
from lungreg.stores.run_files import read_history
from lungreg.testing import FaultyStage, MemoryStage
from tests.learning.training_runs import (
    CPU,
    assert_same_network,
    copied,
    make_job,
    run,
    weights,
)
from tests.small_cases import small_config

pytestmark = pytest.mark.usefixtures("one_thread", "own_temporary_folder")


class TestResume:
    @pytest.mark.parametrize("stop_after", [1, 3])
    def test_goes_on_as_if_never_stopped(
        self, stage: MemoryStage, cases: dict[Split, list[Case]], stop_after: int
    ) -> None:
        """Losses, rates, choice of the best and weights are identical."""
        stopped = make_job(copied(stage), cases)
        with pytest.raises(KeyboardInterrupt):
            run(stopped, stop_after=stop_after)
        assert len(read_history(stopped.stage, "train-1")) == stop_after
        run(stopped)
        whole = make_job(stage, cases)
        run(whole)
        assert read_history(stopped.stage, "train-1") == read_history(stage, "train-1")
        assert stopped.checkpoints.pointers() == whole.checkpoints.pointers()
        for which in ("last", "best"):
            assert_same_network(weights(stopped, which), weights(whole, which))

    def test_patience_is_not_reset(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """Epochs without gain before the stop count after it: the rate falls when it would have."""
        train: dict[str, object] = {"epochs": 4, "learning_rate": 2.0**-20, "plateau_patience": 1}
        job = make_job(stage, cases, config=small_config(train=train))
        with pytest.raises(KeyboardInterrupt):
            run(job, stop_after=2)
        run(job)
        rates = [metrics["learning_rate"] for metrics in read_history(stage, "train-1")]
        assert rates == [2.0**-20, 2.0**-20, 2.0**-20, 2.0**-21]

    def test_full_stage_costs_one_epoch(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """A stage that was full when a state was written is gone on from the state before."""
        broken = FaultyStage(copied(stage), only="epoch_00003")
        broken.full_on = {1}
        job = make_job(broken, cases)
        with pytest.raises(StoreUnavailableError):
            run(job)
        assert len(read_history(broken, "train-1")) == 2
        run(job)
        whole = make_job(stage, cases)
        run(whole)
        assert_same_network(weights(job), weights(whole))

    def test_finished_run_is_finished(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """Going on with it trains nothing more."""
        job = make_job(stage, cases, config=small_config(train={"epochs": 1}))
        run(job)
        before = weights(job)
        epochs: list[int] = []
        run_epochs(
            job, workers=OneWorker(), device=CPU, on_epoch=lambda epoch, _: epochs.append(epoch)
        )
        assert epochs == []
        assert_same_network(weights(job), before)

    def test_history_is_mended(self, stage: MemoryStage, cases: dict[Split, list[Case]]) -> None:
        """A run killed after its last checkpoint and before its history still has all of it."""
        job = make_job(stage, cases, config=small_config(train={"epochs": 2}))
        run(job)
        whole = read_history(stage, "train-1")
        stage.write("runs/train-1/history.json", json.dumps(whole[:1]).encode())
        run(job)
        assert read_history(stage, "train-1") == whole

    def test_damaged_checkpoint_is_refused(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """A run never starts anew in silence where it should go on."""
        job = make_job(stage, cases, config=small_config(train={"epochs": 1}))
        run(job)
        stage.write(job.checkpoints.pointers()["last"].name, b"garbage")
        with pytest.raises(RunError, match="can be read"):
            run(job)
