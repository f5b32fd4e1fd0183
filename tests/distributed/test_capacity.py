"""How many workers may be asked for, and when one process does the work instead."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from lungreg.config import WorkerRange, parse_config
from lungreg.distributed import inferencer, trainer
from lungreg.distributed.capacity import (
    Capacity,
    in_one_process,
    require_workers,
    takes_gpus,
)
from lungreg.errors import MissingExtraError, ResourceError

SAYS = (
    "workers auto means one process, since Ray is not installed; "
    "for more: python -m pip install 'lungreg[cluster]'"
)


def test_ray_does_the_work_where_it_is_installed() -> None:
    """Unless nobody shall: 0 workers are one process in any case."""
    asked = (0, "auto", 1, WorkerRange(min=1, max=2))
    assert [in_one_process(workers) for workers in asked] == [True, False, False, False]


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra."""
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("cluster", "pool", "waiting"):
        monkeypatch.delitem(sys.modules, f"lungreg.distributed.{name}", raising=False)


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(("workers", "told"), [("auto", [SAYS]), (0, [])])
def test_without_ray_auto_is_one_process(
    workers: object,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Training and registration say so in one sentence, where nobody has asked for it."""
    settings = {"workers": workers, "threads": 1, "device": "cpu"}
    config = parse_config({"train": settings, "infer": settings})
    epochs, one_by_one = Mock(), Mock(return_value=[])
    monkeypatch.setattr(trainer, "run_epochs", epochs)
    monkeypatch.setattr(trainer, "use_threads", Mock())
    monkeypatch.setattr(inferencer, "_loop", one_by_one)
    with trainer.cluster_for(config.train), inferencer.cluster_for(config, 1):
        trainer.run_training(SimpleNamespace(config=config))  # type: ignore[arg-type]
        assert [record.message for record in caplog.records] == told
        caplog.clear()
        list(inferencer.run_inference(SimpleNamespace(settings=config.infer), [object()]))  # type: ignore[arg-type, list-item]
    assert [record.message for record in caplog.records] == told
    epochs.assert_called_once()
    one_by_one.assert_called_once()


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("workers", [1, {"min": 1, "max": 2}])
def test_without_ray_a_number_of_workers_asks_for_it(workers: object) -> None:
    """With what to install, and what needs none."""
    config = parse_config({"infer": {"workers": workers}})
    says = r"'lungreg\[cluster\]', or set infer\.workers and train\.workers to auto"
    with pytest.raises(MissingExtraError, match=says), inferencer.cluster_for(config, 1):
        pass


@pytest.mark.parametrize(("gpu", "kind", "most"), [(True, "GPUs", 2), (False, "CPU cores", 8)])
def test_more_workers_than_processors_are_refused(gpu: bool, kind: str, most: int) -> None:
    """With the key to change, and the number there is."""
    there = Capacity(cpus=8, gpus=2, memory_bytes=0)
    require_workers(most, there, gpu=gpu, key="train.workers")
    with pytest.raises(ResourceError, match=rf"train\.workers is at most the number of {kind}"):
        require_workers(most + 1, there, gpu=gpu, key="train.workers")


def test_a_cluster_without_processors_can_do_nothing() -> None:
    """Then "auto" is no mend."""
    none = Capacity(cpus=0, gpus=0, memory_bytes=0)
    with pytest.raises(ResourceError, match=r"set train\.workers to 0, which needs no Ray"):
        require_workers(1, none, gpu=False, key="train.workers")


@pytest.mark.parametrize(
    ("device", "gpus", "taken"),
    [("auto", 0, False), ("auto", 2, True), ("cuda", 2, True), ("cpu", 2, False)],
)
def test_workers_take_gpus_where_there_are_some(device: str, gpus: int, taken: bool) -> None:
    """One each, unless the CPU is asked for."""
    capacity = Capacity(cpus=4, gpus=gpus, memory_bytes=0)
    assert takes_gpus(device, capacity, step="infer") is taken


@pytest.mark.parametrize("step", ["infer", "train"])
@pytest.mark.parametrize(
    ("device", "gpus"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 2), ("mps", 0)]
)
def test_a_device_that_ray_gives_to_nobody_is_refused(step: str, device: str, gpus: int) -> None:
    """Workers computed on a CPU instead, without a word."""
    capacity = Capacity(cpus=4, gpus=gpus, memory_bytes=0)
    with pytest.raises(ResourceError, match=rf"{step}\.device: {device}, .* {gpus} GPUs; set"):
        takes_gpus(device, capacity, step=step)
