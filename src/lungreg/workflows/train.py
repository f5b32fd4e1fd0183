"""Train: from the cases of a stage to a version in the registry.

What needs MONAI is imported inside functions: it takes seconds, and may not be installed.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.distributed.capacity import in_one_process
from lungreg.errors import ConfigError, ModelError, RunError
from lungreg.extras import require_extras
from lungreg.learning.split import split_cases
from lungreg.records import Case, ModelCard, Split
from lungreg.records.summary import Facts, Summary
from lungreg.stores import CHAMPION, Backend
from lungreg.stores.manifest import read_cases
from lungreg.stores.run_files import (
    History,
    environment,
    new_run_id,
    read_history,
    read_split,
    write_audit,
    write_config,
    write_split,
)
from lungreg.stores.usage import timed
from lungreg.workflows.progress import OnProgress, Progress, ignore_progress, stopped, time_left
from lungreg.workflows.resuming import resumed_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lungreg.learning.training import OnEpoch, TrainJob


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainReport(Summary):
    """The result of a training run."""

    run_id: str
    card: ModelCard
    """Card of the version that was added to the registry."""
    history: History
    """Metrics of each epoch; those of the validation cases begin with "val_"."""
    champion: bool
    """Whether the version is the champion of its name."""
    champion_version: str
    """The version that is champion now."""
    why: str
    """Why that one is, in words."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {
            "run_id": self.run_id,
            "model": f"{self.card.name}:{self.card.version}",
            "champion": self.champion,
            **self.card.metrics,
        }

    def curves(self) -> Figure:
        """Loss and validation measures by epoch as a matplotlib figure, for a notebook."""
        from lungreg.qc.curves import training_curves

        return training_curves(self.history, self.card.epoch)


def train(
    config: Config,
    *,
    resume: str | None = None,
    asked: Collection[str] = (),
    backend: Backend | None = None,
    on_progress: OnProgress = ignore_progress,
) -> TrainReport:
    """Train LocalNet on the stage's cases and register the best epoch.

    Args:
        config: The run.
        resume: A run to go on with, as if it had never stopped, with its own settings.
        asked: Keys of the configuration that this call sets on purpose: a run to go on with refuses
            those that would change it, and warns of others.
        backend: Stores to use instead of those that the config names.
        on_progress: Called after every epoch.

    Raises:
        MissingExtraError: MONAI is not installed, or Ray with a number of workers.
        LungregError: Nothing to train on, too many workers, an unknown model to start from.
    """
    backend = backend or open_backend(config.backend)
    run_id = resume or new_run_id("train")
    backend = backend.for_run(run_id, "train")
    if resume is not None:
        config = resumed_config(backend.stage, run_id, config, kind="train", asked=asked)
        if (done := _registered(backend, run_id, config.train.name)) is not None:
            return _report(backend, run_id, done, "this run had ended and was registered before")
    alone = in_one_process(config.train.workers)
    require_extras("train", *([] if alone else ["cluster"]))
    from lungreg.distributed.trainer import cluster_for

    if backend.jobs is not None:
        backend.jobs.prepare()
    backend.models.check_add(config.train.name)
    cases = read_cases(backend.stage)
    split = _split(config, cases) if resume is None else read_split(backend.stage, run_id)
    parts = _cases_of(split, cases)
    # A run is made only where there are as many workers as it asks for.
    with cluster_for(config.train) if resume is None else nullcontext():
        if resume is None:
            write_config(backend.stage, run_id, config)
            write_split(backend.stage, run_id, split)
        write_audit(backend.stage, run_id, config=config, cases=cases)
        job = _job(config, backend, run_id, parts)
        _run_epochs(job, backend, on_progress)
    card, why = _register(job, backend)
    backend.tracker.finish(
        run_id, status="finished", tags={"model": card.name, "version": card.version}
    )
    backend.note_files()
    return _report(backend, run_id, card, why)


def _run_epochs(job: TrainJob, backend: Backend, on_progress: OnProgress) -> None:
    """Train to the last epoch, with the run's time and curves on record."""
    from lungreg.distributed.trainer import run_training

    run_id, config = job.run_id, job.config
    before = len(read_history(backend.stage, run_id))
    note = f"run {run_id}"
    total = config.train.epochs
    begin = Progress(step="train", done=before, total=total, note=note, public=note, unit="epochs")
    on_progress(replace(begin, run_id=run_id))
    backend.tracker.start(run_id, config.model_dump(include={"seed", "network", "loss", "train"}))
    try:
        held = None if backend.billing is None else backend.billing.held()
        with timed(backend.stage, run_id, held):
            run_training(job, on_epoch=_epoch_callback(config, before, on_progress))
    except KeyboardInterrupt as error:
        raise stopped(run_id, "train") from error
    except Exception:
        backend.tracker.finish(run_id, status="failed", tags={})
        raise


def _split(config: Config, cases: Sequence[Case]) -> dict[Split, list[str]]:
    """Which cases a new run learns from; refused before any worker is started."""
    from lungreg.learning.training import require_displacement

    split = split_cases(cases, config.data.split, seed=config.seed)
    require_displacement(config, _cases_of(split, cases)[Split.TRAIN])
    return split


def _job(
    config: Config, backend: Backend, run_id: str, cases: Mapping[Split, Sequence[Case]]
) -> TrainJob:
    from lungreg.learning.training import TrainJob

    return TrainJob(
        run_id=run_id,
        config=config,
        stage=backend.stage,
        tracker=backend.tracker,
        cases=cases,
        initial_weights=_initial_weights(config, backend),
    )


def _cases_of(
    split: Mapping[Split, Sequence[str]], cases: Sequence[Case]
) -> dict[Split, list[Case]]:
    known = {case.case_id: case for case in cases}
    lost = sum(case_id not in known for ids in split.values() for case_id in ids)
    if lost:
        msg = "the cases of a run to go on with are still on the stage"
        raise RunError(msg, got=f"{lost} that are not", mend="ingest them again")
    return {name: [known[case_id] for case_id in ids] for name, ids in split.items()}


def _initial_weights(config: Config, backend: Backend) -> bytes | None:
    if config.train.init is None:
        return None
    from lungreg.learning.network import network_settings

    name, separator, version = config.train.init.partition(":")
    if not separator:
        msg = "train.init reads NAME:VERSION"
        raise ConfigError(msg, got=repr(config.train.init))
    card = backend.models.resolve(name, version)
    stored = network_settings(card)
    if stored != config.network:
        msg = "a model to fine-tune has the network of the run"
        mend = f"set network to {stored.model_dump_json()}"
        raise ModelError(msg, got=config.network.model_dump_json(), mend=mend)
    return backend.models.weights(card)


def _epoch_callback(config: Config, done: int, on_progress: OnProgress) -> OnEpoch:
    """Report each epoch with its losses and the time left; `done` epochs were there before."""
    first, others = ("loss", "val_loss"), ("val_tre_mm", "val_dice_score", "val_fold_pct")
    started, total = time.monotonic(), config.train.epochs

    def report_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        parts = [f"{name} {metrics[name]:.4g}" for name in first if name in metrics]
        each = (time.monotonic() - started) / max(1, epoch - done)
        parts += [time_left(each * (total - epoch))] if epoch < total else []
        parts += [f"{name} {metrics[name]:.4g}" for name in others if name in metrics]
        note = "  ".join(parts)
        on_progress(
            Progress(step="train", done=epoch, total=total, note=note, public=note, unit="epochs")
        )

    return report_epoch


def _register(job: TrainJob, backend: Backend) -> tuple[ModelCard, str]:
    """Add the best epoch to the registry; its card, and why the champion is which it is."""
    from lungreg.learning.network import build_network, weights_to_bytes
    from lungreg.workflows.promotion import promote_if_better

    state = job.checkpoints.load("best")
    if state is None:
        msg = "a finished run has a best checkpoint"
        raise RunError(msg, got="none", mend="train again")
    network = build_network(job.config.network)
    network.load_state_dict(state["network"])
    weights = weights_to_bytes(network)
    metrics = state["history"][-1]
    card = _card(job, metrics, weights, epoch=int(state["epoch"]))
    card = backend.models.add(card, weights)
    return card, promote_if_better(job, backend, card, metrics)


def _card(job: TrainJob, metrics: Mapping[str, float], weights: bytes, *, epoch: int) -> ModelCard:
    config = job.config.model_dump(mode="json", exclude={"backend", "ingest", "infer", "report"})
    fingerprints = {
        name.value: sorted({key for case in cases for key in (case.fingerprint, *case.scans)})
        for name, cases in job.cases.items()
    }
    config["data"].pop("split")
    return ModelCard(
        name=job.config.train.name,
        config=config,
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
        split=fingerprints,
        cases={name.value: len(cases) for name, cases in job.cases.items()},
        epoch=epoch,
        run_id=job.run_id,
        environment=environment(),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _registered(backend: Backend, run_id: str, name: str) -> ModelCard | None:
    """The version that a finished run registered."""
    cards = (known.card for known in backend.models.list(name))
    return next((card for card in cards if card.run_id == run_id), None)


def _report(backend: Backend, run_id: str, card: ModelCard, why: str) -> TrainReport:
    champion = backend.models.resolve(card.name, CHAMPION)
    return TrainReport(
        run_id=run_id,
        card=card,
        history=read_history(backend.stage, run_id),
        champion=champion.version == card.version,
        champion_version=champion.version,
        why=why,
    )
