"""The Ray cluster that this process joins or starts, and what it has."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from lungreg.devices import cpu_count
from lungreg.errors import ResourceError

OBJECT_STORE_BYTES = 200 * 2**20
"""Of a cluster started here: cases travel as names, so little passes through it."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Processors of a cluster."""

    cpus: int
    gpus: int
    may_grow: bool = False
    """Whether the figures are what an autoscaler could add up to."""


@contextmanager
def cluster() -> Iterator[Capacity]:
    """Join the cluster of RAY_ADDRESS or of this process, else start one here and stop it after.

    Ray's usage statistics are switched off unless the user has switched them on.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    started = not ray.is_initialized()
    if started:
        ray.init(**_init_arguments())
    try:
        yield capacity()
    finally:
        if started:
            ray.shutdown()


def capacity() -> Capacity:
    """What the connected cluster has, or can grow to."""
    now = ray.cluster_resources()
    limit = _limit()
    cpus = max(now.get("CPU", 0), limit.get("CPU", 0))
    gpus = max(now.get("GPU", 0), limit.get("GPU", 0))
    return Capacity(cpus=int(cpus), gpus=int(gpus), may_grow=bool(limit))


def require_workers(count: int, capacity: Capacity, *, gpu: bool, key: str) -> None:
    """Refuse at once what the cluster could never place.

    Raises:
        ResourceError: More workers than GPUs, or than CPUs, of the cluster.
    """
    kind, most = ("GPUs", capacity.gpus) if gpu else ("CPU cores", capacity.cpus)
    if count > most:
        msg = f"{key} is at most the number of {kind} that the Ray cluster has or can grow to"
        raise ResourceError(msg, got=f"{count} of {most}", mend=f"set {key} to auto")


def _init_arguments() -> dict[str, Any]:
    quiet: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": True,
    }
    if os.environ.get("RAY_ADDRESS"):
        return {"address": "auto", **quiet}
    return {
        "address": "local",
        "num_cpus": cpu_count(),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
        **quiet,
    }


def _limit() -> dict[str, int]:
    """What an autoscaler may add up to; {} where there is none, or this Ray cannot tell."""
    try:
        from ray._private.state import state

        return dict(state.get_max_resources_from_cluster_config() or {})
    except (ImportError, AttributeError):
        return {}
