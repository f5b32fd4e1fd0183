"""Join or start a Ray cluster and count its processors."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray

from lungreg.devices import cpu_count
from lungreg.errors import ResourceError

OBJECT_STORE_BYTES = 200 * 2**20
"""Of a cluster started here: cases travel as names, so little passes through it."""
_LOOPBACK = "127.0.0.1"
_API_SERVER = "RAY_API_SERVER_ADDRESS"
_NO_API_SERVER = f"http://{_LOOPBACK}:9"
"""An address at which nothing listens."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Processors that a cluster has, or that its autoscaler can add up to."""

    cpus: int
    gpus: int
    memory_bytes: int
    """For actors."""


@contextmanager
def cluster() -> Iterator[Capacity]:
    """Join the cluster of RAY_ADDRESS or of this process, else start one here and stop it after.

    Ray's usage statistics are switched off unless the user has switched them on.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    started = not ray.is_initialized()
    if started:
        _connect()
    try:
        yield capacity()
    finally:
        if started:
            ray.shutdown()


def capacity() -> Capacity:
    """Processors of the connected cluster, with those that its autoscaler can add."""
    now = ray.cluster_resources()
    limit = _limit()
    cpus = max(now.get("CPU", 0), limit.get("CPU", 0))
    gpus = max(now.get("GPU", 0), limit.get("GPU", 0))
    memory = max(now.get("memory", 0), limit.get("memory", 0))
    return Capacity(cpus=int(cpus), gpus=int(gpus), memory_bytes=int(memory))


def require_workers(count: int, capacity: Capacity, *, gpu: bool, key: str) -> None:
    """Refuse more workers than the cluster could ever place.

    Raises:
        ResourceError: More workers than GPUs, or than CPUs, of the cluster.
    """
    kind, most = ("GPUs", capacity.gpus) if gpu else ("CPU cores", capacity.cpus)
    if count > most:
        msg = f"{key} is at most the number of {kind} that the Ray cluster has or can grow to"
        raise ResourceError(msg, got=f"{count} of {most}", mend=f"set {key} to auto")


def _connect() -> None:
    """Join the cluster of RAY_ADDRESS, or start one that lives as long as this process."""
    if os.environ.get("RAY_ADDRESS"):
        _join()
        return
    with _taken_port() as port, _no_api_server(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray does not close its trial socket
        ray.init(
            address="local",
            num_cpus=cpu_count(),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            dashboard_host=_LOOPBACK,
            dashboard_port=port,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
    logging.getLogger("ray").setLevel(logging.ERROR)


def _join() -> None:
    """Join the cluster of RAY_ADDRESS; never start another where it does not answer."""
    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        msg = "the Ray cluster that RAY_ADDRESS names must answer"
        raise ResourceError(msg, got="no answer", mend="start it, or unset RAY_ADDRESS") from error


@contextmanager
def _taken_port() -> Iterator[int]:
    """A port of this machine that is in use, for Ray's dashboard.

    Without its dashboard Ray starts the process all the same, for its usage statistics alone.
    Even when they are off, that process asks the metadata services of three clouds where it runs:
    calls to other hosts. Where its port is taken Ray goes on without it and logs an error.
    """
    with socket.socket() as taken:
        taken.bind((_LOOPBACK, 0))
        taken.listen()
        yield taken.getsockname()[1]


@contextmanager
def _no_api_server() -> Iterator[None]:
    """Let the processes of the cluster know that it has no API server, which is the dashboard's.

    Otherwise they look for its address for 40 s: at the end of a training Ray Train waits for one
    that does so until it gives up, after 12 s.
    """
    if _API_SERVER in os.environ:
        yield
        return
    os.environ[_API_SERVER] = _NO_API_SERVER
    try:
        yield
    finally:
        del os.environ[_API_SERVER]


def _limit() -> dict[str, int]:
    """The most of each resource with an autoscaler; {} without one, or where Ray does not say."""
    try:
        from ray._private.state import state

        return dict(state.get_max_resources_from_cluster_config() or {})
    except (ImportError, AttributeError):
        return {}
