"""Register many cases: in a plain loop, or in a pool of Ray actors that replaces dead ones.

Cases travel as names, results as rows; volumes never leave the worker. Ray is imported where there
are several workers: it takes seconds, and may not be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lungreg.config import Config
from lungreg.devices import cpu_count
from lungreg.distributed.capacity import in_one_process, tell_why_one
from lungreg.distributed.pool_size import Place, pool_size
from lungreg.distributed.worker import InferJob, Worker
from lungreg.records import Case, CaseResult


@contextmanager
def cluster_for(config: Config, cases: int) -> Iterator[None]:
    """Have the cluster that `run_inference` will use, if any: joined or started, and large enough.

    Raises:
        MissingExtraError: A number of workers, and Ray is not installed.
        ResourceError: More workers than the cluster has or can grow to.
    """
    if in_one_process(config.infer.workers) or not cases:
        yield
        return
    from lungreg.distributed.cluster import cluster

    with cluster() as capacity:
        pool_size(config, capacity, cases)
        yield


def run_inference(job: InferJob, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
    """Register cases; yield the results that are ready, in no fixed order.

    A case that cannot be registered has a failed result; it never stops the others.

    Raises:
        MissingExtraError: A number of workers or a model, and Ray or MONAI is not installed.
        ModelError: The model cannot be loaded.
        ResourceError: More workers than the cluster has or can grow to, or none in time.
        RunError: Worker after worker dies before it has loaded the model.
    """
    if not cases:
        return
    if in_one_process(job.settings.workers):
        tell_why_one(job.settings.workers)
        threads = job.settings.threads or cpu_count()
        yield from _loop(Worker(job, Place(threads=threads), number=1), cases)
        return
    from lungreg.distributed.cluster import cluster
    from lungreg.distributed.pool import Pool
    from lungreg.distributed.waiting import await_processors

    with cluster() as capacity:
        size = pool_size(job.registration.config, capacity, len(cases))
        # One will do: further actors join the pool once there is room for them.
        await_processors(1, capacity, gpu=bool(size.place.on_gpu), key="infer.workers")
        pool = Pool(job, size)
        try:
            yield from pool.run(cases)
        finally:
            pool.close()


def _loop(worker: Worker, cases: Sequence[Case]) -> Iterator[list[CaseResult]]:
    worker.load()
    for case in cases:
        yield [worker.register(case, 1)]
