"""How many actors register a cohort, and what each may use of its machine."""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.config import Config
from lungreg.devices import cpu_count, gpu_bytes
from lungreg.distributed.capacity import Capacity, least_and_most, require_workers, takes_gpus
from lungreg.registration.refinement import plan_for
from lungreg.registration.refinement.memory_budget import usual_bytes

_BYTES_ON_GPU = 3_000_000_000
"""Of a worker: CUDA itself, the network and the volumes of a large pair."""
_BYTES_OF_NETWORK = 3_000_000_000
"""Of a worker without a GPU: the network's activations and the volumes of a large pair."""
_AT_ONCE_ON_GPU = 3
"""One read, one computed, one written: the GPU does not wait for files. A core does all of these
itself, so that an actor without a GPU has one."""
_USUAL_GPU_BYTES = 16_000_000_000
"""Of a GPU that this process does not see."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a worker may use of its machine."""

    threads: int | None
    """CPU threads; None leaves PyTorch's choice."""
    on_gpu: bool | None = None
    """Whether it computes on a GPU; None leaves the device to the configuration."""
    processes: int = 1
    """Number of workers that share the memory: of the GPU, or of the machine without one."""

    @property
    def resources(self) -> dict[str, float]:
        """Options of the Ray actor: a CPU core, and the worker's share of a GPU."""
        # Ray counts in ten-thousandths: shares that are rounded up would not all find room.
        gpus = {"num_gpus": 10_000 // self.processes / 10_000} if self.on_gpu else {}
        return {"num_cpus": 1, **gpus}


@dataclass(frozen=True, kw_only=True)
class PoolSize:
    """How many actors, and the processors of each."""

    least: int
    most: int
    place: Place
    """Of each actor."""
    at_once: int = 1
    """Cases that an actor has in memory at most: one is computed while others are read and written.
    """


def pool_size(config: Config, capacity: Capacity, cases: int) -> PoolSize:
    """The size of the pool for so many cases.

    By itself it takes no more actors than the memory of the cluster holds.

    Raises:
        ResourceError: More workers than the cluster has or can grow to, or a device that it has
            not.
    """
    settings = config.infer
    on_gpu = takes_gpus(settings.device, capacity, step="infer")
    each = _per_gpu(config, capacity) if on_gpu else 1
    auto = each * capacity.gpus if on_gpu else min(capacity.cpus, _in_memory(config, capacity))
    least, most = least_and_most(settings.workers, auto)
    require_workers(max(1, least), capacity, gpu=on_gpu, key="infer.workers", each=each)
    most = max(1, min(most, cases))
    if on_gpu:
        place = Place(
            threads=settings.threads or max(1, capacity.cpus // most),
            on_gpu=True,
            processes=-(-most // capacity.gpus),
        )
    else:
        cores = cpu_count()
        threads = settings.threads or max(1, cores // most)
        place = Place(threads=threads, on_gpu=False, processes=min(most, cores))
    at_once = _AT_ONCE_ON_GPU if on_gpu else 1
    return PoolSize(least=max(1, min(least, most)), most=most, place=place, at_once=at_once)


def _in_memory(config: Config, capacity: Capacity) -> int:
    """Number of workers, each with a pair of large lungs, that the memory of the cluster holds."""
    refinement = _bytes_of_refinement(config)
    network = 0 if config.infer.model is None else _BYTES_OF_NETWORK
    return max(1, capacity.memory_bytes // max(refinement, network, 1))


def _bytes_of_refinement(config: Config) -> int:
    refine = config.refine.settled(with_model=config.infer.model is not None)
    return usual_bytes(plan_for(refine.preset)) if refine.enabled else 0


def _per_gpu(config: Config, capacity: Capacity) -> int:
    """Workers that share a GPU: one core for each, and memory on the GPU and beside it."""
    if config.infer.workers_per_gpu != "auto":
        return config.infer.workers_per_gpu
    refinement = _bytes_of_refinement(config)
    on_gpu = (gpu_bytes() or _USUAL_GPU_BYTES) // (_BYTES_ON_GPU + refinement)
    beside = capacity.memory_bytes // capacity.gpus // _BYTES_ON_GPU
    return max(1, min(capacity.cpus // capacity.gpus, on_gpu, beside))
