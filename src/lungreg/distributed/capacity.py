"""Processors of a cluster, and how many workers may be asked of them; works without Ray."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from lungreg.config import WorkerRange
from lungreg.errors import ResourceError
from lungreg.extras import has_extra, installation
from lungreg.records import counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Processors that a cluster has, or that its autoscaler can add up to."""

    cpus: int
    gpus: int
    memory_bytes: int
    """For actors."""


AskedWorkers = int | Literal["auto"] | WorkerRange
"""A value of `infer.workers` or `train.workers`."""


def in_one_process(workers: AskedWorkers) -> bool:
    """Whether this process does the work, without Ray: as asked, or since Ray is not installed."""
    return workers == 0 or (workers == "auto" and not has_extra("cluster"))


def tell_why_one(workers: AskedWorkers) -> None:
    """Say, where nobody has asked for one process, why it is one."""
    if workers == "auto":
        _log.warning(
            "workers auto means one process, since Ray is not installed; for more: %s",
            installation("cluster"),
        )


def takes_gpus(device: str, capacity: Capacity, *, step: str) -> bool:
    """Whether workers on this device each take a GPU of the cluster.

    Args:
        device: As asked.
        capacity: Of the cluster.
        step: "infer" or "train", for messages.

    Raises:
        ResourceError: A device that Ray gives to no worker: they would take another one.
    """
    if device == "auto":
        return capacity.gpus > 0
    if device == "cpu":
        return False
    if device == "cuda" and capacity.gpus:
        return True
    msg = "the workers of a Ray cluster compute on the device asked for"
    got = f"{step}.device: {device}, on a cluster with {counted(capacity.gpus, 'GPU')}"
    mend = f"set {step}.device to auto, or {step}.workers to 0, which needs no Ray"
    if capacity.gpus:
        mend = f"set {step}.device to cuda: Ray gives each worker its GPU; or {step}.workers to 0"
    raise ResourceError(msg, got=got, mend=mend)


def least_and_most(workers: AskedWorkers, auto: int) -> tuple[int, int]:
    """The limits of the number of workers; the same twice where it is fixed.

    Args:
        workers: As asked.
        auto: What "auto" stands for.
    """
    if isinstance(workers, WorkerRange):
        return workers.min, workers.max
    count = auto if workers == "auto" else workers
    return count, count


def require_workers(count: int, capacity: Capacity, *, gpu: bool, key: str, each: int = 1) -> None:
    """Refuse more workers than the cluster could ever place.

    Args:
        count: Workers that must run at the same time.
        capacity: Of the cluster.
        gpu: Whether they take GPUs.
        key: That sets their number, for messages.
        each: Workers that share a GPU.

    Raises:
        ResourceError: More workers than GPUs hold, or than CPUs, of the cluster.
    """
    kind, most = ("GPUs", each * capacity.gpus) if gpu else ("CPU cores", capacity.cpus)
    if count > most:
        held = f"{kind}, {each} on each," if gpu and each > 1 else kind
        msg = f"{key} is at most the number of {held} that the Ray cluster has or can grow to"
        mend = f"set {key} to auto" if most else f"set {key} to 0, which needs no Ray"
        raise ResourceError(msg, got=f"{count} of {most}", mend=mend)
