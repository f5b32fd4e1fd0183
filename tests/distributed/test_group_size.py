"""How many workers train together."""

from __future__ import annotations

import pytest

from lungreg.config import parse_config
from lungreg.distributed.capacity import Capacity
from lungreg.distributed.group_size import GroupSize, group_size
from lungreg.errors import ResourceError


@pytest.mark.parametrize(
    ("train", "gpus", "count", "gpu"),
    [
        ({}, 0, 1, False),
        ({}, 4, 4, True),
        ({"device": "cpu"}, 4, 1, False),
        ({"workers": 2}, 4, 2, True),
        ({"workers": 2}, 0, 2, False),
    ],
)
def test_auto_is_one_worker_per_gpu_or_one_on_cpu(
    train: dict[str, object], gpus: int, count: int, gpu: bool
) -> None:
    """On CPU one worker has all threads."""
    settings = parse_config({"train": train}).train
    found = group_size(settings, Capacity(cpus=8, gpus=gpus, memory_bytes=0))
    assert found == GroupSize(least=count, most=count, gpu=gpu)


@pytest.mark.parametrize(("gpus", "kind"), [(2, "GPUs"), (0, "CPU cores")])
def test_more_workers_than_processors_are_refused(gpus: int, kind: str) -> None:
    """Ray would wait for them for ever."""
    settings = parse_config({"train": {"workers": 9}}).train
    with pytest.raises(ResourceError, match=f"number of {kind}"):
        group_size(settings, Capacity(cpus=8, gpus=gpus, memory_bytes=0))


def test_limits_are_within_what_the_cluster_may_become() -> None:
    """It must have room for the least; the most may come later."""
    settings = parse_config({"train": {"workers": {"min": 2, "max": 9}}}).train
    found = group_size(settings, Capacity(cpus=4, gpus=0, memory_bytes=0))
    assert found == GroupSize(least=2, most=9, gpu=False)
