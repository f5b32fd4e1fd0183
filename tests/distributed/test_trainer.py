"""What trainer adds to Ray's own; training on Ray itself is in workflows/test_train_faults.py."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from lungreg.config import parse_config
from lungreg.distributed.cluster import Capacity
from lungreg.distributed.trainer import _failure, _WorkerError, worker_count
from lungreg.errors import DataError, ResourceError, RunError

PATIENT = "MUSTERMANN"


def test_an_error_of_ours_comes_back_whole_and_its_text_names_nobody() -> None:
    """Ray pickles what a worker raises, and writes its text into its logs."""
    from ray.train.v2.api import exceptions

    # Its oldest release that is allowed has another name for it.
    group_error: Any = getattr(exceptions, "WorkerGroupError", exceptions.TrainingFailedError)
    error = DataError("a rule", got=3, mend="mend it", where=f"/data/{PATIENT}")
    travelled = pickle.loads(pickle.dumps(_WorkerError(error)))
    assert PATIENT not in str(travelled) + repr(travelled)
    back = _failure(group_error(str(travelled), {0: travelled}))
    assert isinstance(back, DataError)
    assert str(back) == str(error)


def test_any_other_failure_of_ray_says_how_to_go_on() -> None:
    """Its own words are for -v."""
    back = _failure(RuntimeError(f"/data/{PATIENT}"))
    assert isinstance(back, RunError)
    assert PATIENT not in str(back)
    assert "--resume" in str(back)


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
    assert worker_count(settings, Capacity(cpus=8, gpus=gpus)) == (count, gpu)


@pytest.mark.parametrize(("gpus", "kind"), [(2, "GPUs"), (0, "CPU cores")])
def test_more_workers_than_processors_are_refused(gpus: int, kind: str) -> None:
    """Ray would wait for them for ever."""
    settings = parse_config({"train": {"workers": 9}}).train
    with pytest.raises(ResourceError, match=f"number of {kind}"):
        worker_count(settings, Capacity(cpus=8, gpus=gpus))
