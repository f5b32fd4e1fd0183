"""How many actors register a cohort, and what each may use of its machine."""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.config import Config
from lungreg.devices import cpu_count
from lungreg.distributed.capacity import Capacity, least_and_most, require_workers, takes_gpus
from lungreg.registration.refinement import plan_for
from lungreg.registration.refinement.memory_budget import usual_bytes

_AUTO_ACTORS = 4


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a worker may use of its machine."""

    threads: int | None
    """CPU threads; None leaves PyTorch's choice."""
    gpu: bool | None = None
    """Whether it has a GPU for itself; None leaves the device to the configuration."""
    processes: int = 1
    """Number of workers that share the machine's memory."""


@dataclass(frozen=True, kw_only=True)
class PoolSize:
    """How many actors, and the processors of each."""

    least: int
    most: int
    place: Place
    """Of each actor."""


def pool_size(config: Config, capacity: Capacity, cases: int) -> PoolSize:
    """The size of the pool for so many cases.

    By itself it takes no more actors than the memory of the cluster holds refinements.

    Raises:
        ResourceError: More workers than the cluster has or can grow to.
    """
    settings = config.infer
    gpu = takes_gpus(settings.device, capacity)
    auto = capacity.gpus if gpu else min(capacity.cpus, _in_memory(config, capacity))
    least, most = least_and_most(settings.workers, auto)
    require_workers(max(1, least), capacity, gpu=gpu, key="infer.workers")
    most = max(1, min(most, cases))
    threads = settings.threads or (None if gpu else max(1, cpu_count() // most))
    place = Place(threads=threads, gpu=gpu, processes=min(most, cpu_count()))
    return PoolSize(least=max(1, min(least, most)), most=most, place=place)


def _in_memory(config: Config, capacity: Capacity) -> int:
    """Number of refinements of large lungs that the memory of the cluster holds, from 1 to 4."""
    if not config.refine.enabled:
        return _AUTO_ACTORS
    held = capacity.memory_bytes // usual_bytes(plan_for(config.refine.preset))
    return max(1, min(held, _AUTO_ACTORS))
