"""Train with Ray Train: the same epochs on one or many workers.

Workers write their checkpoints and history to the stage and return nothing. Ray's own storage is a
temporary folder, deleted at the end. Ray is imported where it is used: one process needs none.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from lungreg.config import Train
from lungreg.devices import choose_device, cpu_count, use_threads
from lungreg.distributed.capacity import Capacity, in_one_process, tell_why_one
from lungreg.distributed.group_size import GroupSize, group_size, scaling_of
from lungreg.distributed.lean_monai import import_lean_monai
from lungreg.errors import ForbiddenError, LungregError, RunError, StoreUnavailableError
from lungreg.extras import of_extra
from lungreg.learning.training import OnEpoch, TrainJob, run_epochs
from lungreg.learning.workers import OneWorker
from lungreg.stores.run_files import read_history

_log = logging.getLogger(__name__)
_POLL_S = 1.0
_Handler = Callable[[int, FrameType | None], Any]


def run_training(job: TrainJob, *, on_epoch: OnEpoch | None = None) -> None:
    """Train to the last epoch with the workers that the config asks for.

    Args:
        job: The run; its checkpoints are on its stage when this returns.
        on_epoch: Called with the number and metrics of each epoch done.

    Raises:
        MissingExtraError: A number of workers, and Ray is not installed.
        ResourceError: More workers than the cluster has or can grow to, or not all in time.
        RunError: Workers died more often than `train.max_failures`.
        LungregError: What a worker found wrong, such as a loss that is no number: it is not tried
            again.
    """
    settings = job.config.train
    if in_one_process(settings.workers):
        tell_why_one(settings.workers)
        use_threads(settings.threads or cpu_count())
        device = choose_device(settings.device)
        run_epochs(job, workers=OneWorker(), device=device, on_epoch=on_epoch)
        return
    from lungreg.distributed.cluster import cluster

    try:
        with cluster() as capacity:
            _train_on_ray(job, capacity, on_epoch)
    finally:
        job.prepared.remove()  # workers that were stopped have left it behind


@contextmanager
def cluster_for(settings: Train) -> Iterator[None]:
    """Have the cluster that `run_training` will use, if any: joined or started, and large enough.

    Raises:
        MissingExtraError: A number of workers, and Ray is not installed.
        ResourceError: More workers than the cluster has or can grow to.
    """
    if in_one_process(settings.workers):
        yield
        return
    from lungreg.distributed.cluster import cluster

    with cluster() as capacity:
        group_size(settings, capacity)
        yield


@dataclass(frozen=True, kw_only=True)
class TorchWorkers:
    """The workers of a torch.distributed process group."""

    rank: int
    count: int
    device: torch.device

    def sum(self, values: Tensor) -> Tensor:
        """The elementwise sum over all workers."""
        if self.count == 1:
            return values
        summed = values.to(self.device, copy=True)
        torch.distributed.all_reduce(summed)
        return summed.to(values.device)


class WorkerError(Exception):
    """A `LungregError` on its way through Ray.

    Ray writes the text of an exception to its logs, so the text here is without case ids and paths;
    the error itself is an attribute.
    """

    def __init__(self, error: LungregError) -> None:
        super().__init__(error.anonymous)
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return WorkerError, (self.error,)


def worker_loop(settings: dict[str, Any]) -> None:
    """The function that each Ray Train worker runs.

    `settings["job"]` is the TrainJob, pickled: Ray's controller, which reads the settings too, then
    need not import MONAI before it starts the workers.
    """
    with of_extra("cluster"):
        import ray.train
        import ray.train.torch
        from ray import cloudpickle

    import_lean_monai()
    job: TrainJob = cloudpickle.loads(settings["job"])
    context = ray.train.get_context()
    use_threads(settings["threads"])
    device = ray.train.torch.get_device() if settings["gpu"] else torch.device("cpu")
    workers = TorchWorkers(
        rank=context.get_world_rank(), count=context.get_world_size(), device=device
    )
    try:
        run_epochs(job, workers=workers, device=device)
    except LungregError as error:
        raise WorkerError(error) from None


def _train_on_ray(job: TrainJob, capacity: Capacity, on_epoch: OnEpoch | None) -> None:
    from lungreg.distributed.waiting import await_processors

    settings = job.config.train
    size = group_size(settings, capacity)
    await_processors(size.least, capacity, gpu=size.gpu, key="train.workers")
    with tempfile.TemporaryDirectory(prefix="lungreg-ray-") as scratch, _watch(job, on_epoch):
        for attempt in range(settings.max_failures + 1):
            try:
                _fit(job, size, storage=scratch, attempt=attempt)
            except Exception as error:
                if is_final(own_error(error)) or attempt == settings.max_failures:
                    raise failure_of(error) from error
                _log.warning("a worker of the training died; new ones go on from the last epoch")
            else:
                return


def _fit(job: TrainJob, size: GroupSize, *, storage: str, attempt: int) -> None:
    """Let Ray Train run the epochs that are missing, with new workers.

    Ray would try again after every error, of which many come back: it tries once.
    """
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    with of_extra("cluster"):
        from ray import cloudpickle
        from ray.train import FailureConfig, RunConfig
        from ray.train.torch import TorchConfig, TorchTrainer

    each = None if size.gpu else max(1, cpu_count() // size.most)
    threads = job.config.train.threads or each
    trainer = TorchTrainer(
        worker_loop,
        train_loop_config={"job": cloudpickle.dumps(job), "gpu": size.gpu, "threads": threads},
        torch_config=TorchConfig(backend="nccl" if size.gpu else "gloo"),
        scaling_config=scaling_of(size),
        run_config=RunConfig(
            name=f"{job.run_id}-{attempt}",
            storage_path=storage,
            failure_config=FailureConfig(max_failures=0),
        ),
    )
    with _interruptible():
        trainer.fit()


def is_final(error: LungregError | None) -> bool:
    """Whether a training that failed would fail again.

    Args:
        error: What a worker raised; None of workers that died.
    """
    away = isinstance(error, StoreUnavailableError) and not isinstance(error, ForbiddenError)
    return error is not None and not away


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt during `fit`, once its workers have ended.

    `fit` replaces the handler of SIGINT, for good, by one that aborts the training and then ends
    the whole process with SystemExit. SIGTERM aborts the same way: workers that went on for a
    moment would leave prepared cases behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if callable(own := before[signal.SIGTERM]):
            signal.signal(signal.SIGTERM, _aborting(own, before[signal.SIGINT]))
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _aborting(stop: _Handler, on_sigint: object) -> _Handler:
    """A handler that lets `fit` abort the training where `stop` ends the command.

    Args:
        stop: The command's own handler.
        on_sigint: The handler of SIGINT before `fit` began.
    """

    def abort(number: int, frame: FrameType | None) -> None:
        try:
            stop(number, frame)
        except KeyboardInterrupt:
            aborts = signal.getsignal(signal.SIGINT)
            if callable(aborts) and aborts is not on_sigint:
                aborts(signal.SIGINT, frame)
            raise

    return abort


def own_error(error: BaseException) -> LungregError | None:
    """The LungregError inside Ray's exception, if a worker has raised one."""
    cause: BaseException | None = error
    while cause is not None:
        nested = [*getattr(cause, "worker_failures", {}).values(), getattr(cause, "cause", None)]
        for inner in (cause, *nested):
            if isinstance(inner, WorkerError):
                return inner.error
        cause = cause.__cause__
    return None


def failure_of(error: BaseException) -> LungregError:
    """The LungregError inside Ray's exception, or a RunError that names the type of Ray's."""
    if (own := own_error(error)) is not None:
        return own
    msg = "training ends with all its epochs"
    mend = "see -v for Ray's own message; go on with --resume"
    return RunError(msg, got=type(error).__name__, mend=mend)


@contextmanager
def _watch(job: TrainJob, on_epoch: OnEpoch | None) -> Iterator[None]:
    """Report epochs as they appear on the stage, from a thread of this process."""
    if on_epoch is None:
        yield
        return
    done, seen = threading.Event(), len(read_history(job.stage, job.run_id))

    def report_new() -> None:
        nonlocal seen
        history = read_history(job.stage, job.run_id)
        for epoch, metrics in enumerate(history[seen:], start=seen + 1):
            on_epoch(epoch, metrics)
        seen = max(seen, len(history))

    def follow() -> None:
        while not done.wait(_POLL_S):
            report_new()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    report_new()
