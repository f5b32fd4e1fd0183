"""How many workers train together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lungreg.config import parse_config
from lungreg.distributed.capacity import Capacity
from lungreg.distributed.group_size import GroupSize, group_size, scaling_of
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


@dataclass
class OldScaling:
    """`ray.train.ScalingConfig` as it was before Ray could change the number while it trains."""

    num_workers: int
    use_gpu: bool


@pytest.mark.parametrize(
    ("size", "room", "count"),
    [
        ({"least": 2, "most": 9, "gpu": False}, {"CPU": 4.0, "GPU": 1.0}, 4),
        ({"least": 2, "most": 9, "gpu": True}, {"CPU": 64.0, "GPU": 8.0}, 8),
        ({"least": 2, "most": 9, "gpu": False}, {"CPU": 64.0}, 9),
        ({"least": 2, "most": 9, "gpu": False}, {"CPU": 1.0}, 2),
        ({"least": 2, "most": 9, "gpu": True}, {}, 2),
        ({"least": 3, "most": 3, "gpu": False}, {"CPU": 64.0}, 3),
    ],
)
def test_with_an_older_ray_workers_are_as_many_as_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, size: dict[str, Any], room: dict[str, float], count: int
) -> None:
    """Within the limits: it takes one number, when a training starts."""
    monkeypatch.setattr("ray.train.ScalingConfig", OldScaling)
    monkeypatch.setattr("ray.available_resources", lambda: room)
    assert scaling_of(GroupSize(**size)) == OldScaling(num_workers=count, use_gpu=size["gpu"])


def test_with_a_newer_ray_the_number_changes_while_it_trains() -> None:
    """The limits are Ray's own."""
    scaling = pytest.importorskip("ray.train").ScalingConfig
    if "elastic_resize_monitor_interval_s" not in scaling.__dataclass_fields__:
        pytest.skip("this Ray cannot change the number")
    assert scaling_of(GroupSize(least=2, most=9, gpu=False)).num_workers == (2, 9)
