"""A training run: what it leaves on the stage, and that two workers are as one."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from lungreg.errors import DataError, RunError
from lungreg.learning.epoch import validate
from lungreg.learning.network import build_network, weights_to_bytes
from lungreg.learning.prepared_cases import prepare_case
from lungreg.learning.training import require_displacement, run_epochs, validation_error
from lungreg.learning.workers import OneWorker
from lungreg.records import Case, Split
from lungreg.stores.run_files import read_history
from lungreg.testing import FaultyStage, MemoryStage
from tests.learning.thread_workers import ThreadWorker, on_threads
from tests.learning.training_runs import (
    CONFIG,
    CPU,
    LOSS,
    assert_same_network,
    copied,
    make_job,
    run,
    weights,
)
from tests.small_cases import put_case, small_config

pytestmark = pytest.mark.usefixtures("one_thread", "own_temporary_folder")


class TestRun:
    def test_learns_and_reports(self, stage: MemoryStage, cases: dict[Split, list[Case]]) -> None:
        """The loss falls; history, curves and callbacks say the same of each epoch."""
        job = make_job(stage, cases)
        reported: list[tuple[int, dict[str, float]]] = []
        run_epochs(
            job,
            workers=OneWorker(),
            device=CPU,
            on_epoch=lambda e, m: reported.append((e, dict(m))),
        )
        history = read_history(stage, "train-1")
        assert reported == list(enumerate(history, start=1))
        assert job.tracker.points == [  # type: ignore[attr-defined]
            ("train-1", metrics, epoch) for epoch, metrics in reported
        ]
        assert len(history) == 4
        for name in ("loss", "mutual_information", "dice", "landmarks", "learning_rate"):
            assert name in history[0]
        for name in ("val_loss", "val_dice_score", "val_tre_mm", "val_fold_pct"):
            assert name in history[0]
        assert history[-1]["val_loss"] < history[0]["val_loss"]

    def test_learns_from_the_true_displacement(self) -> None:
        """The new terms are in the curves by name; the supervised one falls from epoch to epoch."""
        stage = MemoryStage()
        known = [put_case(stage, f"case_{i}", seed=i, truth=i != 1) for i in range(3)]
        job = make_job(
            stage,
            {Split.TRAIN: known[:2], Split.VAL: known[2:], Split.TEST: []},
            config=small_config(
                loss={"mutual_information": 0.0, "mind": 1.0, "displacement": 1.0},
                train={"epochs": 3, "learning_rate": 0.01},
            ),
        )
        run(job)
        history = read_history(stage, "train-1")
        assert {"mind", "val_mind", "displacement", "val_displacement"} <= history[0].keys()
        errors = [metrics["val_displacement"] for metrics in history]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 0.95 * errors[0]

    def test_displacements_are_needed_by_their_loss_alone(self) -> None:
        """With a weight and no file training is refused before it begins; else all is well."""
        stage = MemoryStage()
        bare, known = put_case(stage, "a"), put_case(stage, "b", truth=True)
        weighed = small_config(loss={"displacement": 1.0})
        with pytest.raises(DataError, match=r"got none of 1; ingest simulated pairs"):
            require_displacement(weighed, [bare])
        require_displacement(weighed, [bare, known])
        require_displacement(small_config(), [bare])

    def test_same_seed_same_run(
        self, stage: MemoryStage, cases: dict[Split, list[Case]], files: Any
    ) -> None:
        """Everything random comes from the seed; another seed learns otherwise."""
        first = make_job(stage, cases)
        again = make_job(copied(files[0]), cases)
        other = make_job(copied(files[0]), cases, config=small_config(train={"epochs": 1}))
        other = dataclasses.replace(other, config=other.config.model_copy(update={"seed": 1}))
        torch.manual_seed(11)
        run(first)
        torch.manual_seed(12)
        run(again)
        assert read_history(first.stage, "train-1") == read_history(again.stage, "train-1")
        assert_same_network(weights(first), weights(again))
        run(other)
        assert read_history(other.stage, "train-1")[0] != read_history(stage, "train-1")[0]

    def test_a_worker_removes_what_killed_ones_have_left(
        self,
        stage: MemoryStage,
        cases: dict[Split, list[Case]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """On its own node: the process that began that run may have been elsewhere."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        left = tmp_path / f"lungreg-{os.getuid()}-train-0"
        left.mkdir(mode=0o700)
        os.utime(left, (1, 1))
        run(make_job(stage, cases, config=small_config(train={"epochs": 1})))
        assert list(tmp_path.iterdir()) == []

    def test_best_is_the_lowest_validation_error(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """The best checkpoint is of the epoch with the smallest landmark error."""
        # So high a rate that the error falls and rises again.
        train: dict[str, object] = {"epochs": 4, "learning_rate": 0.01}
        job = make_job(stage, cases, config=small_config(train=train, loss=LOSS))
        run(job)
        errors = [metrics["val_tre_mm"] for metrics in read_history(stage, "train-1")]
        assert min(errors) not in (errors[0], errors[-1])
        best = job.checkpoints.load("best")
        assert best is not None
        assert best["epoch"] == 1 + errors.index(min(errors))
        assert [validation_error(metrics) for metrics in best["history"]] == errors[: best["epoch"]]
        network = build_network(CONFIG.network)
        network.load_state_dict(best["network"])
        found = validate(
            network,
            cases[Split.VAL],
            lambda case: prepare_case(stage, case, CONFIG.preprocessing),
            CONFIG,
            device=CPU,
            workers=OneWorker(),
        )
        assert found["tre_mm"] == pytest.approx(min(errors), rel=1e-5)

    def test_without_validation_cases(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """All cases may be trained on; the training loss then decides."""
        job = make_job(stage, {**cases, Split.VAL: []}, config=small_config())
        run(job)
        history = read_history(stage, "train-1")
        assert not any(name.startswith("val_") for name in history[0])
        best = job.checkpoints.load("best")
        assert best is not None
        losses = [metrics["loss"] for metrics in history]
        assert best["epoch"] == 1 + losses.index(min(losses))

    def test_rate_falls_on_a_plateau(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """Each epoch without gain multiplies the rate by the factor, also of a loss below zero."""
        # So low a rate that nothing is gained.
        train: dict[str, object] = {
            "epochs": 4,
            "learning_rate": 2.0**-20,
            "plateau_patience": 0,
            "plateau_factor": 0.25,
        }
        job = make_job(stage, cases, config=small_config(train=train))
        run(job)
        rates = [metrics["learning_rate"] for metrics in read_history(stage, "train-1")]
        assert read_history(stage, "train-1")[0]["val_loss"] < 0
        assert rates == [2.0**-20, 2.0**-20, 2.0**-22, 2.0**-24]

    def test_fine_tuning_starts_from_given_weights(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """With next to no rate the weights stay those that were given."""
        torch.manual_seed(5)
        network = build_network(CONFIG.network)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05)
        config = small_config(train={"epochs": 1, "learning_rate": 1e-12})
        job = make_job(stage, cases, config=config, initial_weights=weights_to_bytes(network))
        run(job)
        for name, value in weights(job).items():
            torch.testing.assert_close(value, network.state_dict()[name], atol=1e-9, rtol=0)

    def test_cache_is_gone_afterwards(
        self, stage: MemoryStage, cases: dict[Split, list[Case]], tmp_path: Path
    ) -> None:
        """Neither a finished run nor a stopped one leaves patients' scans on the node."""
        run(make_job(stage, cases, config=small_config(train={"epochs": 1})))
        assert list(tmp_path.iterdir()) == []
        job = make_job(copied(stage), cases)
        with pytest.raises(KeyboardInterrupt):
            run(job, stop_after=2)
        assert list(tmp_path.iterdir()) == []

    def test_each_file_is_read_once(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """Three epochs read the five files of each case once."""
        counting = FaultyStage(stage, only="/case_")
        run(make_job(counting, cases, config=small_config(train={"epochs": 3})))
        assert counting.reads == 3 * 5

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_loss_that_is_no_number_ends_it(
        self, stage: MemoryStage, cases: dict[Split, list[Case]], workers: int
    ) -> None:
        """With what to try; of two workers both end. No checkpoint holds what came of it."""
        job = make_job(
            stage, cases, config=small_config(train={"epochs": 9, "learning_rate": 1e30}, loss=LOSS)
        )

        def train() -> None:
            if workers == 1:
                run(job)
            else:
                on_threads(workers, lambda each: run_epochs(job, workers=each, device=CPU))

        with pytest.raises(RunError, match=r"stays a number, got .* in epoch \d; lower train\.le"):
            train()
        state = job.checkpoints.load("last")
        assert state is None or all(v.isfinite().all() for v in state["network"].values())
        for metrics in read_history(stage, "train-1"):
            assert math.isfinite(metrics["loss"])

    def test_loss_without_any_data_is_refused(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """A loss of masks alone on cases without masks is an error, not a run without gain."""
        bare = [put_case(stage, "bare", masks=False)]
        config = small_config(loss={"mutual_information": 0.0, "bending_energy": 0.0, "dice": 1.0})
        with pytest.raises(DataError, match="some training case has the masks or landmarks"):
            run(make_job(stage, {**cases, Split.TRAIN: bare}, config=config))


class TestWorkers:
    def test_two_learn_what_one_learns_and_one_writes(
        self, stage: MemoryStage, cases: dict[Split, list[Case]]
    ) -> None:
        """The curves are those of one worker; the stage gets as many files."""
        torch.manual_seed(0)
        start = weights_to_bytes(build_network(CONFIG.network))
        alone = FaultyStage(copied(stage), only="runs/")
        shared = FaultyStage(stage, only="runs/")
        run(make_job(alone, cases, initial_weights=start))
        job = make_job(shared, cases, initial_weights=start)

        def work(worker: ThreadWorker) -> None:
            run_epochs(job, workers=worker, device=CPU)

        on_threads(2, work)
        assert shared.writes == alone.writes
        one, two = read_history(alone, "train-1"), read_history(shared, "train-1")
        for mine, theirs in zip(one, two, strict=True):
            assert theirs == pytest.approx(mine, rel=2e-2, abs=1e-3)
        assert two[0] == pytest.approx(one[0], rel=1e-3)


def test_error_that_is_no_number_is_never_best() -> None:
    """An epoch that diverged is worse than any other, the first one too."""
    assert validation_error({"loss": math.nan}) == math.inf
    assert validation_error({"loss": 1.0, "val_tre_mm": math.nan}) == math.inf
    assert validation_error({"loss": 1.0, "val_loss": 3.0}) == 3.0
    assert validation_error({"loss": 1.0}) == 1.0


def test_run_without_history() -> None:
    """Before its first epoch a run has none."""
    assert read_history(MemoryStage(), "train-1") == []
