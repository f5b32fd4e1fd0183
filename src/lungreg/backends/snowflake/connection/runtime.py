"""Snowflake's Container Runtime: whether this process runs in it, and its Ray cluster."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from typing import Any

from lungreg.errors import ResourceError

logger = logging.getLogger(__name__)

_IN_RUNTIME = "IN_SPCS_ML_RUNTIME"
_IN_JOB = "SNOWFLAKE_JOB_INDEX"
_COUNT = "SNOWFLAKE_JOBS_COUNT"
_ADDRESS = "RAY_ADDRESS"
_CLUSTER_MANAGER = "snowflake.ml.runtime_cluster.cluster_manager"
"""A module of the runtime's images, in no package index."""


def is_in_runtime() -> bool:
    """Whether this process runs in Container Runtime, in a notebook or a job."""
    return bool(os.environ.get(_IN_RUNTIME)) or is_in_job()


def nodes_of_job() -> int | None:
    """Number of nodes of the job that this process runs in; None outside a job."""
    return max(1, int(os.environ.get(_COUNT) or 1)) if is_in_job() else None


def is_in_job() -> bool:
    """Whether this process runs in a job, whose number of nodes is fixed."""
    return bool(os.environ.get(_IN_JOB))


def join_runtime_cluster() -> None:
    """Make Ray join the runtime's cluster, which runs already, instead of starting another.

    Nothing changes outside the runtime, and where the user has named a cluster.
    """
    if is_in_runtime():
        os.environ.setdefault(_ADDRESS, "auto")


def scale_notebook_cluster(nodes: int) -> bool:
    """Scale the cluster of this notebook to a number of nodes, where the runtime can.

    Args:
        nodes: Of the whole cluster, the notebook's own included.

    Returns:
        Whether it was scaled: False outside a notebook on Container Runtime.

    Raises:
        ResourceError: The runtime cannot provide so many.
    """
    scale = _scaler()
    if scale is None:
        logger.info("no notebook cluster to scale here")
        return False
    try:
        is_done = scale(nodes)
    except Exception as error:
        msg = "the compute pool gives the notebook the nodes it asks for"
        mend = "raise compute_pool.max_nodes of the pool, or ask for fewer"
        raise ResourceError(msg, got=f"{nodes}: {type(error).__name__}", mend=mend) from error
    if not is_done:
        msg = "the notebook's cluster reaches the number of nodes in time"
        raise ResourceError(msg, got=f"not {nodes}", mend="try again, or ask for fewer")
    return True


def _scaler() -> Callable[..., Any] | None:
    if not is_in_runtime() or is_in_job():
        return None
    try:
        module = importlib.import_module(_CLUSTER_MANAGER)
    except ImportError:
        return None
    found: Callable[..., Any] | None = getattr(module, "scale_cluster", None)
    return found
