"""How many actors a pool has, and what each may use."""

from __future__ import annotations

import pytest

from lungreg.config import parse_config
from lungreg.devices import cpu_count
from lungreg.distributed.capacity import Capacity
from lungreg.distributed.pool_size import pool_size
from lungreg.errors import ResourceError

GB = 10**9


@pytest.mark.parametrize(
    ("workers", "cases", "least", "most"),
    [
        (4, 100, 4, 4),
        (4, 1, 1, 1),
        ("auto", 100, 4, 4),
        ({"min": 2, "max": 6}, 100, 2, 6),
        ({"min": 1, "max": 60}, 100, 1, 60),
        ({"min": 3, "max": 6}, 2, 2, 2),
    ],
)
def test_a_pool_has_no_more_workers_than_cases(
    workers: object, cases: int, least: int, most: int
) -> None:
    """No process is started that would have nothing to do."""
    config = parse_config({"infer": {"workers": workers}})
    size = pool_size(config, Capacity(cpus=16, gpus=0, memory_bytes=64 * GB), cases)
    assert (size.least, size.most) == (least, most)


def test_auto_is_one_worker_for_each_gpu() -> None:
    """Each holds a whole GPU, and PyTorch chooses its threads."""
    size = pool_size(parse_config({}), Capacity(cpus=16, gpus=3, memory_bytes=64 * GB), 100)
    assert (size.least, size.most, size.place.gpu, size.place.threads) == (3, 3, True, None)


def test_a_cluster_with_gpus_can_be_used_without_them() -> None:
    """`device: cpu` counts processor cores."""
    config = parse_config({"infer": {"device": "cpu", "workers": 5}})
    assert not pool_size(config, Capacity(cpus=16, gpus=3, memory_bytes=64 * GB), 100).place.gpu


def test_more_workers_than_gpus_are_refused() -> None:
    """Ray would wait for the fourth for ever."""
    config = parse_config({"infer": {"workers": 4}})
    with pytest.raises(ResourceError, match=r"number of GPUs.*got 4 of 3"):
        pool_size(config, Capacity(cpus=16, gpus=3, memory_bytes=64 * GB), 100)


@pytest.mark.parametrize(("memory_gb", "most"), [(1, 1), (5, 2), (64, 4)])
def test_auto_leaves_each_refinement_its_memory(memory_gb: int, most: int) -> None:
    """A network alone, which needs less, has as many workers as before."""
    there = Capacity(cpus=16, gpus=0, memory_bytes=memory_gb * GB)
    refined = parse_config({"refine": {"enabled": True}})
    assert pool_size(refined, there, 100).most == most
    assert pool_size(parse_config({"refine": {"enabled": False}}), there, 100).most == 4


def test_memory_is_shared_by_the_workers_of_one_machine() -> None:
    """No machine has more of them than cores."""
    config = parse_config({"infer": {"workers": 9}})
    place = pool_size(config, Capacity(cpus=16, gpus=0, memory_bytes=64 * GB), 100).place
    assert place.processes == min(9, cpu_count())
