"""Join or start a Ray cluster and count its processors."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lungreg.devices import cpu_count
from lungreg.distributed.capacity import Capacity
from lungreg.distributed.surroundings import (
    LOOPBACK,
    give_token,
    kept_handlers,
    kept_terminal,
    no_api_server,
    private_folder,
    taken_port,
)
from lungreg.errors import ResourceError
from lungreg.extras import of_extra

with of_extra("cluster"):
    import ray

OBJECT_STORE_BYTES = 200 * 2**20
"""Of a cluster started here: cases travel as names, so little passes through it."""


@contextmanager
def cluster() -> Iterator[Capacity]:
    """Join the cluster of RAY_ADDRESS or of this process, else start one here and stop it after.

    Ray's usage statistics are switched off unless the user has switched them on.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if ray.is_initialized():
        yield capacity()
        return
    with ExitStack() as stack:
        stack.enter_context(kept_terminal())
        if os.environ.get("RAY_ADDRESS"):
            _join()
        else:
            _start(stack.enter_context(private_folder()))
        stack.callback(ray.shutdown)
        yield capacity()


def capacity() -> Capacity:
    """Processors of the connected cluster, with those that its autoscaler can add."""
    now = ray.cluster_resources()
    limit = _limit()
    cpus = max(now.get("CPU", 0), limit.get("CPU", 0))
    gpus = max(now.get("GPU", 0), limit.get("GPU", 0))
    memory = max(now.get("memory", 0), limit.get("memory", 0))
    return Capacity(cpus=int(cpus), gpus=int(gpus), memory_bytes=int(memory))


def _start(folder: Path) -> None:
    """Start a cluster that lives as long as this process.

    Args:
        folder: For its sockets and logs.

    Raises:
        ResourceError: It does not start, as on a machine too busy to do so in half a minute.
    """
    try:
        _init(folder)
    except Exception as error:  # Ray has no class of its own for it
        ray.shutdown()
        msg = "Ray must start on this machine"
        mend = (
            "try again when the machine is less busy, set infer.workers or train.workers to 0, "
            "which needs no Ray, or see 'lungreg doctor'"
        )
        raise ResourceError(msg, got=type(error).__name__, mend=mend, where=str(error)) from error


def _init(folder: Path) -> None:
    with taken_port() as port, no_api_server(), kept_handlers(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray does not close its trial socket
        give_token()
        ray.init(
            address="local",
            _temp_dir=str(folder),
            num_cpus=cpu_count(),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            dashboard_host=LOOPBACK,
            dashboard_port=port,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
    logging.getLogger("ray").setLevel(logging.ERROR)


def _join() -> None:
    """Join the cluster of RAY_ADDRESS; never start another where it does not answer."""
    try:
        with kept_handlers():
            ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        msg = "the Ray cluster that RAY_ADDRESS names must answer"
        raise ResourceError(msg, got="no answer", mend="start it, or unset RAY_ADDRESS") from error


def _limit() -> dict[str, int]:
    """The most of each resource with an autoscaler; {} without one, or where Ray does not say."""
    try:
        from ray._private.state import state

        return dict(state.get_max_resources_from_cluster_config() or {})
    except (ImportError, AttributeError):
        return {}
