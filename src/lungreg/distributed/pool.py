"""A pool of Ray actors that register cases; dead ones are replaced."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lungreg.distributed.pool_size import PoolSize
from lungreg.distributed.worker import InferJob, Worker
from lungreg.errors import LungregError, RunError
from lungreg.extras import of_extra
from lungreg.records import Case, CaseResult, counted
from lungreg.registration.case import failed_result

with of_extra("cluster"):
    import ray

_log = logging.getLogger(__name__)


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
        self._started += 1
        place = self._size.place
        remote = ray.remote(Worker).options(max_restarts=0, **place.resources)
        return remote.remote(self._job, place, number=self._started, alone=True)

    def _hand_out(self, queue: deque[_Work]) -> None:
        while self._idle and queue:
            actor, work = self._idle.pop(), queue.popleft()
            work.started_at = datetime.now(UTC)
            self._busy[actor.register.remote(work.case, work.attempt)] = (actor, work)

    def _finish_ready(self, queue: deque[_Work]) -> list[CaseResult]:
        """Wait for one actor, then collect from all that are ready."""
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
