"""Register many cases: in a plain loop, or in a pool of Ray actors that replaces dead ones.

Cases travel as names, results as rows; volumes never leave the worker.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch

from lungreg.config import Config, Infer
from lungreg.devices import choose_device, cpu_count, use_threads
from lungreg.distributed.cluster import cluster
from lungreg.distributed.pool_size import Place, PoolSize, pool_size
from lungreg.distributed.waiting import await_processors
from lungreg.errors import LungregError, RunError
from lungreg.records import Case, CaseResult, RegistrationJob, counted
from lungreg.registration.case import Render, describe, failed_result, register_case
from lungreg.registration.model_free import model_free_estimate
from lungreg.registration.pair import Estimate
from lungreg.stores import ModelRegistry, Stage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferJob:
    """What each worker receives once, when it starts."""

    registration: RegistrationJob
    stage: Stage
    models: ModelRegistry
    render: Render | None
    """Draws qc.html; None for no page."""

    @property
    def settings(self) -> Infer:
        """How the cohort is registered."""
        return self.registration.config.infer


@contextmanager
def cluster_for(config: Config, cases: int) -> Iterator[None]:
    """Have the cluster that `run_inference` will use, if any: joined or started, and large enough.

    Raises:
        ResourceError: More workers than the cluster has or can grow to.
    """
    if config.infer.workers == 0 or not cases:
        yield
        return
    with cluster() as capacity:
        pool_size(config, capacity, cases)
        yield


def run_inference(job: InferJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
    """Register cases; yield the results that are ready, in no fixed order.

    A case that cannot be registered has a failed result; it never stops the others.

    Raises:
        ModelError: The model cannot be loaded.
        ResourceError: More workers than the cluster has or can grow to, or none in time.
        RunError: Worker after worker dies before it has loaded the model.
    """
    if not cases:
        return
    if job.settings.workers == 0:
        threads = job.settings.threads or cpu_count()
        yield from _loop(Worker(job, Place(threads=threads), number=1), cases)
        return
    with cluster() as capacity:
        size = pool_size(job.registration.config, capacity, len(cases))
        # One will do: further actors join the pool once there is room for them.
        await_processors(1, capacity, gpu=bool(size.place.gpu), key="infer.workers")
        pool = Pool(job, size)
        try:
            yield from pool.run(cases)
        finally:
            pool.close()


class Worker:
    """One process that registers cases with one loaded model, or without one."""

    def __init__(self, job: InferJob, place: Place, *, number: int) -> None:
        self._job = job
        self._place = place
        self._number = number
        self._loaded: tuple[Estimate, torch.device] | None = None

    def load(self) -> None:
        """Load the model, where the run has one.

        Raises:
            ModelError: The stored model does not fit its card.
        """
        use_threads(self._place.threads)
        gpu = self._place.gpu
        name = self._job.settings.device if gpu is None else ("cuda" if gpu else "cpu")
        device = choose_device(name)
        self._loaded = self._estimate(device), device

    def _estimate(self, device: torch.device) -> Estimate:
        config, card = self._job.registration.config, self._job.registration.card
        processes = self._place.processes
        if card is None:
            return model_free_estimate(config.refine, device, seed=config.seed, processes=processes)
        # Only with a model: MONAI takes seconds to import, and may not be installed.
        from lungreg.learning.stored_model import run_estimate

        return run_estimate(config, self._job.models.weights(card), device, processes=processes)

    def register(self, case: Case, attempt: int) -> CaseResult:
        """Register one case; a fault becomes a failed result."""
        if self._loaded is None:
            self.load()
        estimate, device = self._loaded  # type: ignore[misc]  # load() has set it
        started, name = datetime.now(UTC), f"{device.type}-{self._number}"
        try:
            return register_case(
                self._job.stage,
                case,
                estimate,
                self._job.registration,
                device=device,
                render=self._job.render,
                attempt=attempt,
                worker=name,
            )
        except Exception as error:  # noqa: BLE001  # one case never stops the others
            _log.debug("case failed", exc_info=True)
            code, message = describe(error)
            return failed_result(
                self._job.registration,
                case,
                code=code,
                message=message,
                attempt=attempt,
                worker=name,
                started_at=started,
            )


@dataclass(kw_only=True)
class _Work:
    case: Case
    attempt: int = 1
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Pool:
    """Ray actors that each register one case at a time; dead ones are replaced.

    An actor gets work only once it has loaded the model, so actors that the cluster cannot place
    yet delay no case.
    """

    def __init__(self, job: InferJob, size: PoolSize) -> None:
        self._job = job
        self._size = size
        self._loading: dict[Any, Any] = {}
        self._busy: dict[Any, tuple[Any, _Work]] = {}
        self._idle: list[Any] = []
        self._started = 0
        self._deaths_in_loading = 0

    def run(self, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
        """Yield the results that are ready; a case whose actor died goes to the queue's end.

        The actors work on while the caller stores a batch of results: a slow store delays none.
        """
        queue = deque(_Work(case=case) for case in cases)
        self._grow(len(queue))
        while queue or self._busy:
            done = self._finish_ready(queue)
            self._grow(len(queue))
            self._hand_out(queue)
            if done:
                yield done

    def close(self) -> None:
        """Stop all actors."""
        import ray

        busy = (actor for actor, _ in self._busy.values())
        for actor in (*self._idle, *self._loading.values(), *busy):
            ray.kill(actor)

    def _grow(self, waiting: int) -> None:
        """Start actors: the least at once, further ones while cases wait for one."""
        running = len(self._idle) + len(self._busy) + len(self._loading)
        wanted = min(self._size.most, max(self._size.least, len(self._busy) + waiting))
        for _ in range(max(0, wanted - running)):
            actor = self._start()
            self._loading[actor.load.remote()] = actor

    def _start(self) -> Any:
        import ray

        self._started += 1
        options = {"num_gpus": 1, "num_cpus": 1} if self._size.place.gpu else {"num_cpus": 1}
        remote = ray.remote(Worker).options(max_restarts=0, **options)
        return remote.remote(self._job, self._size.place, number=self._started)

    def _hand_out(self, queue: deque[_Work]) -> None:
        while self._idle and queue:
            actor, work = self._idle.pop(), queue.popleft()
            work.started_at = datetime.now(UTC)
            self._busy[actor.register.remote(work.case, work.attempt)] = (actor, work)

    def _finish_ready(self, queue: deque[_Work]) -> list[CaseResult]:
        """Wait for one actor, then collect from all that are ready."""
        import ray

        first, others = ray.wait([*self._busy, *self._loading], num_returns=1)
        more = ray.wait(others, num_returns=len(others), timeout=0)[0] if others else []
        done: list[CaseResult] = []
        for reference in (*first, *more):
            if reference in self._loading:
                self._finish_loading(reference)
            else:
                done += self._finish_case(reference, queue)
        return done

    def _finish_loading(self, reference: Any) -> None:
        import ray

        actor = self._loading.pop(reference)
        try:
            ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, LungregError) else error) from error
        except ray.exceptions.RayError as error:
            self._deaths_in_loading += 1
            if self._deaths_in_loading < self._job.settings.max_attempts:
                return
            msg = "a worker of the pool starts and loads the model"
            mend = "lower infer.workers if memory is short, then go on with --resume"
            got = f"{counted(self._deaths_in_loading, 'death')} in a row"
            raise RunError(msg, got=got, mend=mend) from error
        self._deaths_in_loading = 0
        self._idle.append(actor)

    def _finish_case(self, reference: Any, queue: deque[_Work]) -> list[CaseResult]:
        """The case's result; [] where it is tried again."""
        import ray

        actor, work = self._busy.pop(reference)
        try:
            result: CaseResult = ray.get(reference)
        except ray.exceptions.RayError:
            ray.kill(actor)
            _log.warning("a worker died; its case was in attempt %d", work.attempt)
            if work.attempt >= self._job.settings.max_attempts:
                return [self._died(work)]
            queue.append(_Work(case=work.case, attempt=work.attempt + 1))
            return []
        self._idle.append(actor)
        return [result]

    def _died(self, work: _Work) -> CaseResult:
        return failed_result(
            self._job.registration,
            work.case,
            code="worker_died",
            message=f"the worker's process died in each of {work.attempt} attempts",
            attempt=work.attempt,
            worker="",
            started_at=work.started_at,
        )


def _loop(worker: Worker, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
    worker.load()
    for case in cases:
        yield [worker.register(case, 1)]
