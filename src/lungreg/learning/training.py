"""Run all epochs of a training in this process, alone or as one of several workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lungreg.config import Config
from lungreg.errors import DataError
from lungreg.learning.checkpoints import Checkpoints
from lungreg.learning.epoch import Learner, error_of, require_numbers, train_epoch, validate
from lungreg.learning.network import build_network, load_weights
from lungreg.learning.prepared_cases import PreparedCases
from lungreg.learning.workers import Workers
from lungreg.records import Case, Split
from lungreg.stores import Stage, Tracker
from lungreg.stores.run_files import History, write_history

OnEpoch = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What each worker needs to train, pickled for it: names and settings, no volumes."""

    run_id: str
    config: Config
    stage: Stage
    tracker: Tracker
    cases: Mapping[Split, Sequence[Case]]
    initial_weights: bytes | None = None
    """Safetensors to fine-tune."""

    @property
    def checkpoints(self) -> Checkpoints:
        """The run's checkpoints on the stage."""
        save_every = self.config.train.save_every
        return Checkpoints(stage=self.stage, run_id=self.run_id, save_every=save_every)

    @property
    def prepared(self) -> PreparedCases:
        """The run's cache of prepared cases on this node; removed when training ends."""
        return PreparedCases(
            stage=self.stage,
            settings=self.config.preprocessing,
            cache_gb=self.config.data.cache_gb,
            name=self.run_id,
            max_voxels=self.config.ingest.max_voxels,
            with_displacement=self.config.loss.displacement > 0,
        )


def run_epochs(
    job: TrainJob, *, workers: Workers, device: torch.device, on_epoch: OnEpoch | None = None
) -> None:
    """Train to the last epoch, from the last checkpoint on the stage if there is one.

    Every worker calls this; the first one writes checkpoints, history and curves to the stage.

    Raises:
        DataError: A case cannot be prepared, or none has what the loss needs.
        RunError: The checkpoint to go on from cannot be read, or the loss is no number.
    """
    config, checkpoints = job.config, job.checkpoints
    torch.manual_seed(config.seed)
    learner, scheduler = _learner(job, device)
    state = checkpoints.load() or {"epoch": 0, "history": []}
    history: History = list(state["history"])
    if state["epoch"]:
        _restore(state, learner, scheduler)
        if workers.rank == 0:
            write_history(job.stage, job.run_id, history)
    prepared = job.prepared
    prepared.remove_leftovers()
    try:
        for epoch in range(int(state["epoch"]) + 1, config.train.epochs + 1):
            metrics = _one_epoch(job, learner, prepared, epoch, workers)
            scheduler.step(metrics.get("val_loss", metrics["loss"]))
            best = _is_best(metrics, history)
            history.append(metrics)
            if workers.rank == 0:
                checkpoints.save(
                    _state(learner, scheduler, history, epoch, config), epoch=epoch, best=best
                )
                write_history(job.stage, job.run_id, history)
                job.tracker.log(job.run_id, metrics, epoch)
            if on_epoch is not None:
                on_epoch(epoch, metrics)
    finally:
        prepared.remove()


def require_displacement(config: Config, cases: Sequence[Case]) -> None:
    """Refuse training cases of which none has the displacement that the loss has a weight for.

    Raises:
        DataError: No displacement for `loss.displacement`.
    """
    if config.loss.displacement > 0 and not any(case.displacement for case in cases):
        msg = "with a weight for loss.displacement some training case has a true displacement"
        mend = "ingest simulated pairs or displacements/CASE.nii.gz, or set loss.displacement to 0"
        raise DataError(msg, got=f"none of {len(cases)}", mend=mend)


def validation_error(metrics: Mapping[str, float]) -> float:
    """The error that decides which epoch is best: on the validation cases where there are any.

    An error that is not finite counts as infinite.
    """
    validated = {k.removeprefix("val_"): v for k, v in metrics.items() if k.startswith("val_")}
    error = error_of(validated) if validated else metrics["loss"]
    return error if math.isfinite(error) else math.inf


def _one_epoch(
    job: TrainJob, learner: Learner, prepared: PreparedCases, epoch: int, workers: Workers
) -> dict[str, float]:
    config = job.config
    metrics = train_epoch(
        learner, job.cases[Split.TRAIN], prepared.load, config, epoch=epoch, workers=workers
    )
    if "loss" not in metrics:
        msg = "some training case has the masks or landmarks that the loss needs"
        raise DataError(msg, got="none", mend="give loss.mutual_information a weight")
    if job.cases[Split.VAL]:
        found = validate(
            learner.network,
            job.cases[Split.VAL],
            prepared.load,
            config,
            device=learner.device,
            workers=workers,
        )
        metrics |= {f"val_{name}": value for name, value in found.items()}
        require_numbers({name: metrics[name] for name in {"val_loss"} & set(metrics)}, epoch)
    metrics["learning_rate"] = float(learner.optimizer.param_groups[0]["lr"])
    return metrics


def _is_best(metrics: Mapping[str, float], history: History) -> bool:
    return all(validation_error(metrics) < validation_error(earlier) for earlier in history)


def _learner(job: TrainJob, device: torch.device) -> tuple[Learner, ReduceLROnPlateau]:
    settings = job.config.train
    network = build_network(job.config.network)
    if job.initial_weights is not None:
        load_weights(network, job.initial_weights)
    network.to(device)
    mixed = settings.mixed_precision and device.type == "cuda"
    optimizer = Adam(network.parameters(), lr=settings.learning_rate)
    scheduler = ReduceLROnPlateau(
        optimizer,
        factor=settings.plateau_factor,
        patience=settings.plateau_patience,
        # A share of a loss below zero, as mutual information's, would count no gain as one.
        threshold_mode="abs",
    )
    learner = Learner(
        network=network,
        optimizer=optimizer,
        scaler=torch.amp.GradScaler(device.type, enabled=mixed),
        device=device,
        mixed_precision=mixed,
    )
    return learner, scheduler


def _state(
    learner: Learner, scheduler: ReduceLROnPlateau, history: History, epoch: int, config: Config
) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "history": history,
        "seed": config.seed,
        "config": config.model_dump_json(),
        "network": learner.network.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "scaler": learner.scaler.state_dict(),
        "scheduler": scheduler.state_dict(),
    }


def _restore(state: Mapping[str, Any], learner: Learner, scheduler: ReduceLROnPlateau) -> None:
    learner.network.load_state_dict(state["network"])
    learner.optimizer.load_state_dict(state["optimizer"])
    learner.scaler.load_state_dict(state["scaler"])
    scheduler.load_state_dict(state["scheduler"])
