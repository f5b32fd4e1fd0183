"""Infer: from the cases of a stage, with or without a model, to files and a row for each case."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.devices import count_cards
from lungreg.distributed.capacity import in_one_process
from lungreg.distributed.inferencer import cluster_for, run_inference
from lungreg.distributed.worker import InferJob
from lungreg.errors import ConfigError, NotFoundError, StoreUnavailableError
from lungreg.extras import require_extras
from lungreg.learning.model_config import with_card
from lungreg.qc.case_page import render_case
from lungreg.records import (
    Case,
    CaseResult,
    ModelCard,
    RegistrationJob,
    Split,
    Status,
)
from lungreg.stores import CHAMPION, Backend, Held, JobRunner
from lungreg.stores.manifest import read_cases
from lungreg.stores.results import COMPACT_EVERY, Compaction, latest_rows
from lungreg.stores.run_files import new_run_id, write_audit, write_config
from lungreg.stores.usage import timed
from lungreg.workflows.infer_report import InferReport
from lungreg.workflows.progress import OnProgress, Progress, ignore_progress, provenance, stopped
from lungreg.workflows.resuming import resumed_config


def infer(
    config: Config,
    *,
    resume: str | None = None,
    only_new: bool = False,
    asked: Collection[str] = (),
    backend: Backend | None = None,
    on_progress: OnProgress = ignore_progress,
) -> InferReport:
    """Register the stage's cases, with a model of the registry where `infer.model` names one.

    Args:
        config: The run; preprocessing and network come from the model's card, if there is one.
        resume: A run to go on with: only what is missing or failed is registered, with the run's
            own settings.
        only_new: Leave out cases that some run has registered with success. Where none is left, no
            run is made.
        asked: Keys of the configuration that this call sets on purpose: a run to go on with refuses
            those that would change it, and warns of others.
        backend: Stores to use instead of those that the config names.
        on_progress: Called after every case.

    Raises:
        ConfigError: The run asks for batch jobs, which the backend does not have, or which need a
            model; or a run to go on with is asked to change.
        MissingExtraError: A model or a number of workers, and MONAI or Ray is not installed.
        ModelError: The config asks for another preprocessing or network than the model has.
        NotFoundError: No such model, version or case.
        ResourceError: More workers than the cluster has or can grow to.
    """
    backend = backend or open_backend(config.backend)
    run_id = resume or new_run_id("infer")
    backend = backend.for_run(run_id, "infer")
    if resume is not None:
        config = resumed_config(backend.stage, run_id, config, kind="infer", asked=asked)
    if config.infer.engine == "run-batch":
        _batch_of(backend)
    else:
        require_extras(*_extras(config))
    config, card = _with_model(backend, config)
    trained = card or _champion(backend, config)
    cases = read_cases(backend.stage, config.infer.cases)
    if only_new:
        cases = _not_registered(backend, cases)
        if not cases:
            return InferReport(
                run_id=run_id, card=card, results=[], seconds=0.0, registered=0, gpus=0
            )
    cases = cases if trained is None else [trained.known(case) for case in cases]
    job = _job(backend, config, card, run_id, _splits_of(trained))
    if config.infer.engine == "run-batch":
        _ = job.registration.stored_model  # refused before anything is written
    started = time.perf_counter()
    known = [] if resume is None else backend.results.rows(run_id)
    with _workers(backend, config, 0 if resume else len(cases)):
        if resume is None:
            write_config(backend.stage, run_id, config)
        sha256 = card.weights_sha256 if card else ""
        write_audit(backend.stage, run_id, config=config, cases=cases, model=sha256)
        with timed(backend.stage, run_id, _held(backend, config)):
            done = _register_all(backend, job, cases, known, on_progress)
    backend.note_files()
    return InferReport(
        run_id=run_id,
        card=card,
        results=latest_rows([*known, *done]),
        seconds=time.perf_counter() - started,
        registered=len(done),
        gpus=count_cards(row.worker for row in done),
    )


def _not_registered(backend: Backend, cases: Sequence[Case]) -> list[Case]:
    """The cases that no run has registered with success."""
    sql = "SELECT DISTINCT case_id FROM results WHERE status = 'success'"
    done = set(backend.results.query(sql).column("case_id").to_pylist())
    return [case for case in cases if case.case_id not in done]


def _extras(config: Config) -> list[str]:
    """What must be installed where the cases are registered here."""
    needed = [] if config.infer.model is None else ["train"]
    return needed if in_one_process(config.infer.workers) else [*needed, "cluster"]


def _workers(backend: Backend, config: Config, cases: int) -> AbstractContextManager[None]:
    """What registers the cases: a run is made only where there are as many workers as asked for.

    Args:
        backend: May have Ray on compute of its own.
        config: The run.
        cases: How many; 0 leaves it to `run_inference`, which may find that none is left.
    """
    if config.infer.engine != "ray":
        return nullcontext()
    if backend.jobs is not None:
        backend.jobs.prepare()
    return cluster_for(config, cases)


def _with_model(backend: Backend, config: Config) -> tuple[Config, ModelCard | None]:
    """The config as it is carried out, and the model's card; None where no model is named."""
    if config.infer.model is None:
        refine = config.refine.settled(with_model=False)
        return config.model_copy(update={"refine": refine}), None
    card = backend.models.resolve(config.infer.model, config.infer.version)
    config = with_card(config, card)
    pinned = config.infer.model_copy(update={"version": card.version})
    refine = config.refine.settled(with_model=True)
    return config.model_copy(update={"infer": pinned, "refine": refine}), card


def _register_all(
    backend: Backend,
    job: InferJob,
    cases: Sequence[Case],
    known: Sequence[CaseResult],
    on_progress: OnProgress,
) -> list[CaseResult]:
    """Register the cases that have no row of a success yet, and write their rows.

    Args:
        backend: The stores.
        job: What is registered how.
        cases: Of the run.
        known: Its rows so far.
        on_progress: Called before the first case and after each.

    Returns:
        The new rows.
    """
    run_id = job.registration.run_id
    attempts = {row.case_id: row.attempt for row in known}
    succeeded = {row.case_id for row in known if row.status is Status.SUCCESS}
    waiting = [case for case in cases if case.case_id not in succeeded]
    done: list[CaseResult] = []
    parts = Compaction(partial(backend.results.compact, run_id), COMPACT_EVERY)
    before = len(cases) - len(waiting)
    note = f"run {run_id}, {_how(job)}"
    begin = Progress(step="infer", done=before, total=len(cases), note=note, public=note)
    on_progress(replace(begin, run_id=run_id))
    try:
        for results in _results(backend, job, waiting):
            rows = [replace(r, attempt=r.attempt + attempts.get(r.case_id, 0)) for r in results]
            backend.results.write(rows)
            parts.added(len(rows))
            for row in rows:
                done.append(row)
                on_progress(_event(row, before + len(done), len(cases)))
    except KeyboardInterrupt as error:
        raise stopped(run_id, "infer") from error
    backend.results.compact(run_id)
    return done


def _results(backend: Backend, job: InferJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
    """Rows as they are finished, from the engine that the run asks for."""
    if job.settings.engine == "ray":
        return run_inference(job, cases)
    return _batch_of(backend).infer_batch(job.registration, cases)


def _batch_of(backend: Backend) -> JobRunner:
    """The backend's own batch inference.

    Raises:
        ConfigError: It has none.
    """
    if backend.jobs is None:
        msg = "infer.engine run-batch needs a backend with batch jobs of its own"
        raise ConfigError(msg, got="one without", mend="use engine ray, or backend.kind snowflake")
    return backend.jobs


def _held(backend: Backend, config: Config) -> Held | None:
    if backend.billing is None:
        return None
    return backend.billing.held(in_batch=config.infer.engine == "run-batch")


def _splits_of(card: ModelCard | None) -> dict[str, Split]:
    """By the fingerprint of a case, the part of a model's split that it was in; {} for none."""
    known = {} if card is None else card.split
    return {key: Split(name) for name, keys in known.items() for key in keys}


def _champion(backend: Backend, config: Config) -> ModelCard | None:
    """The card of the champion, where there is one that this role may see.

    A run without a model names the parts of its split all the same, so that what registers with
    the model and what does without it are compared on the same cases.
    """
    try:
        return backend.models.resolve(config.train.name, CHAMPION)
    except (NotFoundError, StoreUnavailableError):
        return None


def _job(
    backend: Backend,
    config: Config,
    card: ModelCard | None,
    run_id: str,
    splits: Mapping[str, Split],
) -> InferJob:
    return InferJob(
        registration=RegistrationJob(
            run_id=run_id,
            config=config,
            card=card,
            splits=splits,
            alignment=config.infer.alignment or config.preprocessing.alignment,
            provenance=provenance(_facts(config, card)),
        ),
        stage=backend.stage,
        models=backend.models,
        render=render_case if config.infer.qc else None,
    )


def _how(job: InferJob) -> str:
    """What registers the cases, for people."""
    card, refined = job.registration.card, job.registration.config.refine.enabled
    if card is None:
        return (
            f"no model: each pair is {'aligned and optimised' if refined else 'aligned'} by itself"
        )
    return f"{card.name} version {card.version}{', then optimised' if refined else ''}"


def _facts(config: Config, card: ModelCard | None) -> dict[str, str]:
    """What registered the cases, for their pages."""
    facts = {"model": "none"}
    if card is not None:
        facts = {
            "model": f"{card.name} version {card.version}",
            "weights": card.weights_sha256[:16],
            "trained in run": card.run_id,
        }
    if config.refine.enabled:
        facts["refinement"] = config.refine.preset
    return facts


def _event(row: CaseResult, done: int, total: int) -> Progress:
    public = row.words
    if row.status is Status.FAILED:
        public = f"failed, {row.error_code}"
        note = f"{row.case_id}: failed, {row.error_code}: {row.error_message}"
    else:
        parts = [f"{row.case_id}: {public}"]
        parts += [f"Dice {row.dice_score:.3f}"] if row.dice_score is not None else []
        if row.tre_mm is not None:
            parts.append(f"TRE {row.tre_mm:.2f} mm")
        elif row.etre_mm is not None:
            parts.append(f"estimated {row.etre_mm:.2f} mm")
        note = "  ".join(parts)
    return Progress(step="infer", done=done, total=total, note=note, public=public)
