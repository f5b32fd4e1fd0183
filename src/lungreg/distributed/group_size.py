"""How many workers train together, fixed or within limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lungreg.config import Train
from lungreg.distributed.capacity import Capacity, least_and_most, require_workers, takes_gpus
from lungreg.extras import of_extra


@dataclass(frozen=True, kw_only=True)
class GroupSize:
    """How many workers train together."""

    least: int
    most: int
    """The same as `least` where the number is fixed."""
    gpu: bool
    """Whether each has a GPU."""


def group_size(settings: Train, capacity: Capacity) -> GroupSize:
    """The number of workers that the configuration asks for.

    Raises:
        ResourceError: More than the cluster has or can grow to, or a device that it has not.
    """
    gpu = takes_gpus(settings.device, capacity, step="train")
    least, most = least_and_most(settings.workers, capacity.gpus if gpu else 1)
    require_workers(least, capacity, gpu=gpu, key="train.workers")
    return GroupSize(least=least, most=most, gpu=gpu)


def scaling_of(size: GroupSize) -> Any:
    """Ray Train's own elastic training; before Ray had it, what the cluster has room for now."""
    with of_extra("cluster"):
        import ray
        from ray.train import ScalingConfig

    workers: Any = (size.least, size.most)
    if size.least == size.most:
        workers = size.most
    elif "elastic_resize_monitor_interval_s" not in ScalingConfig.__dataclass_fields__:
        room = int(ray.available_resources().get("GPU" if size.gpu else "CPU", 0))
        workers = max(size.least, min(room, size.most))
    return ScalingConfig(num_workers=workers, use_gpu=size.gpu)
