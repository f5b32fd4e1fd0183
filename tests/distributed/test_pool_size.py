"""How many actors a pool has, and what each may use."""

from __future__ import annotations

import pytest
import torch

from lungreg.config import parse_config
from lungreg.devices import cpu_count
from lungreg.distributed import pool_size as module
from lungreg.distributed.capacity import Capacity
from lungreg.distributed.pool_size import pool_size
from lungreg.errors import ResourceError

GB = 10**9


@pytest.mark.parametrize(
    ("workers", "cases", "least", "most"),
    [
        (4, 100, 4, 4),
        (4, 1, 1, 1),
        ("auto", 100, 16, 16),
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
    assert (size.least, size.most, size.at_once) == (least, most, 1)


@pytest.mark.parametrize(
    ("there", "most", "threads", "share"),
    [
        ({"cpus": 16, "gpus": 1, "memory_bytes": 256 * GB}, 5, 3, 0.2),  # 16 GB on the GPU hold 5
        ({"cpus": 16, "gpus": 4, "memory_bytes": 256 * GB}, 16, 1, 0.25),
        ({"cpus": 16, "gpus": 1, "memory_bytes": 8 * GB}, 2, 8, 0.5),
        ({"cpus": 4, "gpus": 4, "memory_bytes": 64 * GB}, 4, 1, 1.0),
        ({"cpus": 64, "gpus": 6, "memory_bytes": 999 * GB}, 30, 2, 0.2),
    ],
)
def test_workers_share_a_gpu(
    there: dict[str, int], most: int, threads: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one computes, others read and write: a core for each, as far as memory holds them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    size = pool_size(parse_config({"refine": {"enabled": False}}), Capacity(**there), 100)
    assert (size.least, size.most, size.place.threads) == (most, most, threads)
    assert size.place.on_gpu
    assert size.at_once == 3
    assert size.place.resources == {"num_cpus": 1, "num_gpus": share}


@pytest.mark.parametrize(("asked", "cases", "share"), [(1, 100, 1.0), (3, 100, 0.3333), (3, 2, 1)])
def test_the_number_of_workers_on_a_gpu_can_be_set(asked: int, cases: int, share: float) -> None:
    """Ray rounds: shares that add up to more than one GPU would leave a worker waiting for ever."""
    there = Capacity(cpus=16, gpus=2, memory_bytes=64 * GB)
    place = pool_size(parse_config({"infer": {"workers_per_gpu": asked}}), there, cases).place
    assert place.resources["num_gpus"] == share
    assert place.processes == (asked if cases > 2 else 1)


def test_larger_gpus_hold_more_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As this machine's own GPU says, which a refinement needs more of."""
    monkeypatch.setattr(module, "gpu_bytes", lambda: 80 * GB)
    there = Capacity(cpus=64, gpus=1, memory_bytes=512 * GB)
    most = [
        pool_size(parse_config({"refine": {"enabled": refined}}), there, 100).most
        for refined in (False, True)
    ]
    assert most[0] == 26
    assert 10 < most[1] < 26


def test_a_cluster_with_gpus_can_be_used_without_them() -> None:
    """`device: cpu` counts processor cores."""
    config = parse_config({"infer": {"device": "cpu", "workers": 5}})
    assert not pool_size(config, Capacity(cpus=16, gpus=3, memory_bytes=64 * GB), 100).place.on_gpu


def test_more_workers_than_gpus_hold_are_refused() -> None:
    """Ray would wait for one more for ever."""
    there = Capacity(cpus=16, gpus=3, memory_bytes=64 * GB)
    config = parse_config({"infer": {"workers": 4, "workers_per_gpu": 1}})
    with pytest.raises(ResourceError, match=r"at most the number of GPUs.*got 4 of 3"):
        pool_size(config, there, 100)
    config = parse_config({"infer": {"workers": 7, "workers_per_gpu": 2}})
    with pytest.raises(ResourceError, match=r"number of GPUs, 2 on each, that.*got 7 of 6"):
        pool_size(config, there, 100)


@pytest.mark.parametrize(
    ("memory_gb", "refined", "alone"), [(1, 1, 1), (8, 3, 2), (64, 16, 16), (30, 13, 10)]
)
def test_auto_leaves_each_worker_its_memory(memory_gb: int, refined: int, alone: int) -> None:
    """A worker for each core as far as pairs of large lungs, or a network, find room."""
    there = Capacity(cpus=16, gpus=0, memory_bytes=memory_gb * GB)
    assert pool_size(parse_config({}), there, 100).most == refined
    network = parse_config({"refine": {"enabled": False}, "infer": {"model": "m"}})
    assert pool_size(network, there, 100).most == alone


def test_memory_is_shared_by_the_workers_of_one_machine() -> None:
    """No machine has more of them than cores."""
    config = parse_config({"infer": {"workers": 9}})
    place = pool_size(config, Capacity(cpus=16, gpus=0, memory_bytes=64 * GB), 100).place
    assert place.processes == min(9, cpu_count())
