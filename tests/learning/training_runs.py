"""Training runs on three small cases, stopped where a test wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lungreg.config import Config
from lungreg.learning.training import TrainJob, run_epochs
from lungreg.learning.workers import OneWorker
from lungreg.records import Case, Split
from lungreg.stores import Stage
from lungreg.testing import MemoryStage
from tests.small_cases import small_config

CPU = torch.device("cpu")
LOSS: dict[str, object] = {"mutual_information": 1.0, "dice": 1.0, "landmarks": 0.1}
CONFIG = small_config(train={"epochs": 4, "plateau_patience": 0, "save_every": 10}, loss=LOSS)


class Curves:
    """A tracker that keeps what is logged. Implements `lungreg.stores.Tracker`."""

    def __init__(self) -> None:
        self.points: list[tuple[str, dict[str, float], int]] = []

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Nothing to begin with."""

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Keep the point."""
        self.points.append((run_id, dict(metrics), step))

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """Nothing to end with."""


def copied(stage: MemoryStage) -> MemoryStage:
    """A stage with the same files."""
    copy = MemoryStage()
    for info in stage.list():
        copy.write(info.name, stage.read(info.name))
    return copy


def make_job(
    stage: Stage,
    cases: dict[Split, list[Case]],
    *,
    config: Config = CONFIG,
    initial_weights: bytes | None = None,
) -> TrainJob:
    """A run on a stage."""
    return TrainJob(
        run_id="train-1",
        config=config,
        stage=stage,
        tracker=Curves(),
        cases=cases,
        initial_weights=initial_weights,
    )


def run(job: TrainJob, *, stop_after: int | None = None) -> None:
    """Train alone in this process, as far as wanted."""

    def stop(epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    run_epochs(job, workers=OneWorker(), device=CPU, on_epoch=stop)


def weights(job: TrainJob, which: str = "last") -> dict[str, Tensor]:
    """The network of a checkpoint."""
    state = job.checkpoints.load(which)
    assert state is not None
    network: dict[str, Tensor] = state["network"]
    return network


def assert_same_network(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """All weights are equal to the bit."""
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
