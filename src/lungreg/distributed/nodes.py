"""Ask each node of a Ray cluster what it has."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from lungreg.distributed.cluster import cluster
from lungreg.extras import of_extra

with of_extra("cluster"):
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node."""

    cpus: int
    gpus: int
    version: str
    """Of lungreg, as a task on the node sees it."""


def ask_nodes() -> list[Node]:
    """What each living node has, asked by a task that runs there.

    Raises:
        ResourceError: The cluster does not answer.
    """
    with cluster():
        alive = [node for node in ray.nodes() if node["Alive"]]
        asked = [_version_on(str(node["NodeID"])) for node in alive]
        versions = ray.get(asked, timeout=_PATIENCE_S)
    return [
        Node(
            cpus=int(node["Resources"].get("CPU", 0)),
            gpus=int(node["Resources"].get("GPU", 0)),
            version=version,
        )
        for node, version in zip(alive, versions, strict=True)
    ]


def _version_on(node: str) -> ray.ObjectRef[str]:
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(num_cpus=0)(_version).options(scheduling_strategy=strategy)
    asked: ray.ObjectRef[str] = task.remote()
    return asked


def _version() -> str:
    return metadata.version("lungreg")
