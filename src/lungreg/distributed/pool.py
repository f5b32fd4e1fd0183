"""A pool of Ray actors that register cases; dead ones are replaced."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lungreg.distributed.pool_size import PoolSize
from lungreg.distributed.worker import InferJob, Worker
from lungreg.errors import LungregError, RunError
from lungreg.extras import of_extra
from lungreg.records import Case, CaseResult, counted
from lungreg.registration.case import OUT_OF_MEMORY, failed_result

with of_extra("cluster"):
    import ray

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class _Work:
    case: Case
    attempt: int = 1
    deaths: int = 0
    """Of actors that had this case alone: it is to blame for them."""
    lacked_memory: bool = False
    """In an earlier attempt: it has no further one for that."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(kw_only=True, eq=False)
class _Hand:
    """An actor and what it holds."""

    actor: Any
    works: list[_Work] = field(default_factory=list)
    dead: bool = False

    def takes(self, work: _Work, most: int) -> bool:
        """Whether it may have a case as well: one that is tried again stays alone."""
        together = [*self.works, work]
        return len(together) <= (most if all(it.attempt == 1 for it in together) else 1)


class Pool:
    """Ray actors that register cases; dead ones are replaced.

    An actor gets work only once it has loaded the model, so actors that the cluster cannot place
    yet delay no case. Where it may hold several cases, it gets a further one only while enough are
    left for the others.
    """

    def __init__(self, job: InferJob, size: PoolSize) -> None:
        self._job = job
        self._size = size
        self._loading: dict[Any, _Hand] = {}
        self._busy: dict[Any, tuple[_Hand, _Work]] = {}
        self._ready: list[_Hand] = []
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
        for hand in (*self._ready, *self._loading.values()):
            ray.kill(hand.actor)

    def _grow(self, waiting: int) -> None:
        """Start actors: the least at once, further ones while cases wait for one."""
        running = len(self._ready) + len(self._loading)
        busy = sum(bool(hand.works) for hand in self._ready)
        wanted = min(self._size.most, max(self._size.least, busy + waiting))
        for _ in range(max(0, wanted - running)):
            hand = _Hand(actor=self._start())
            self._loading[hand.actor.load.remote()] = hand

    def _start(self) -> Any:
        self._started += 1
        place, at_once = self._size.place, self._size.at_once
        options = {"max_restarts": 0, "max_concurrency": at_once, **place.resources}
        remote = ray.remote(Worker).options(**options)
        return remote.remote(self._job, place, number=self._started, alone=True)

    def _hand_out(self, queue: deque[_Work]) -> None:
        """Give the first case to the actor that holds fewest, again and again."""
        while queue:
            # The last cases go to those that have none.
            most = self._size.at_once if len(queue) >= self._size.most else 1
            free = [hand for hand in self._ready if hand.takes(queue[0], most)]
            if not free:
                return
            hand, work = min(free, key=lambda hand: len(hand.works)), queue.popleft()
            work.started_at = datetime.now(UTC)
            hand.works.append(work)
            self._busy[hand.actor.register.remote(work.case, work.attempt)] = (hand, work)

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
        hand = self._loading.pop(reference)
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
        self._ready.append(hand)

    def _finish_case(self, reference: Any, queue: deque[_Work]) -> list[CaseResult]:
        """The case's result; [] where it is tried again, as where the actor's device is lost.

        One that lacked memory is tried once more: those that shared the GPU may be done by then.
        """
        hand, work = self._busy.pop(reference)
        try:
            result: CaseResult = ray.get(reference)
        except ray.exceptions.RayError:
            return self._after_death(hand, work, queue)
        hand.works.remove(work)
        once = self._job.settings.max_attempts > 1 and not work.lacked_memory
        if result.error_code != OUT_OF_MEMORY or not once:
            return [result]
        _log.warning("memory did not suffice for a case; it is tried once more later")
        for other in self._ready:  # what they keep for later may be what it lacked
            other.actor.give_back_memory.remote()
        queue.append(replace(work, attempt=work.attempt + 1, lacked_memory=True))
        return []

    def _after_death(self, hand: _Hand, work: _Work, queue: deque[_Work]) -> list[CaseResult]:
        """Try a case of a dead actor again, alone: of several that it held none can be blamed."""
        if not hand.dead:
            hand.dead = True
            self._ready.remove(hand)
            ray.kill(hand.actor)
        _log.warning("a worker died; its case was in attempt %d", work.attempt)
        deaths = work.deaths + (len(hand.works) == 1)
        if deaths >= self._job.settings.max_attempts:
            return [self._died(work)]
        queue.append(replace(work, attempt=work.attempt + 1, deaths=deaths))
        return []

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
