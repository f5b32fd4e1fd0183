"""Training on Ray is the same run; errors of workers come back whole; no more workers than fit."""

from __future__ import annotations

import dataclasses
import pickle
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from lungreg.config import parse_config
from lungreg.distributed import trainer, waiting
from lungreg.distributed.capacity import Capacity
from lungreg.distributed.trainer import WorkerError, failure_of
from lungreg.errors import (
    DataError,
    ForbiddenError,
    LungregError,
    RunError,
    StoreUnavailableError,
)
from lungreg.stores.run_files import History
from lungreg.workflows.train import train
from tests.distributed.histories import assert_same
from tests.site import CASES, Site
from tests.workflows.faults import KillingStage

PATIENT = "MUSTERMANN"


def test_an_error_of_ours_comes_back_whole_and_its_text_names_nobody() -> None:
    """Ray pickles what a worker raises, and writes its text into its logs."""
    from ray.train.v2.api import exceptions

    # Its oldest release that is allowed has another name for it.
    group_error: Any = getattr(exceptions, "WorkerGroupError", exceptions.TrainingFailedError)
    error = DataError("a rule", got=3, mend="mend it", where=f"/data/{PATIENT}")
    travelled = pickle.loads(pickle.dumps(WorkerError(error)))
    assert PATIENT not in str(travelled) + repr(travelled)
    back = failure_of(group_error(str(travelled), {0: travelled}))
    assert isinstance(back, DataError)
    assert str(back) == str(error)


def test_any_other_failure_of_ray_says_how_to_go_on() -> None:
    """Its own words are for -v."""
    back = failure_of(RuntimeError(f"/data/{PATIENT}"))
    assert isinstance(back, RunError)
    assert PATIENT not in str(back)
    assert "--resume" in str(back)


@pytest.mark.parametrize(
    ("error", "fits"),
    [
        (WorkerError(RunError("the loss must be a finite number")), 1),
        (WorkerError(ForbiddenError("a role must be allowed to write")), 1),
        (WorkerError(StoreUnavailableError("a store must answer")), 3),
        (RuntimeError("connection closed by peer"), 3),
    ],
)
def test_only_what_may_go_well_next_time_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, fits: int
) -> None:
    """A loss that is no number stays one; a worker that died, or a store that was away, may not."""
    tried: list[int] = []

    def fail(*job: object, attempt: int, **how: object) -> None:
        tried.append(attempt)
        raise error

    monkeypatch.setattr(trainer, "_fit", fail)
    monkeypatch.setattr(waiting, "await_processors", Mock())  # nothing to wait for
    job = SimpleNamespace(config=parse_config({"train": {"max_failures": 2}}))
    with pytest.raises(LungregError) as caught:
        trainer._train_on_ray(job, Capacity(cpus=1, gpus=0, memory_bytes=0), None)  # type: ignore[arg-type]
    assert tried == list(range(fits))
    assert caught.value is getattr(error, "error", caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_two_workers_of_which_one_is_killed_learn_what_one_process_learns(
    ingested: Site, three_epochs: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in the second of three epochs, Ray's own storage deleted with it.

    The global batch counts, not who has a share of it; new workers go on from the stage.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    victim = f"scansExp/{CASES[0]}_exp.nii.gz"
    stage = KillingStage(
        ingested.folder / "stage",
        tally=tmp_path / "tally",
        deadly={victim: {2}},
        wrecks=scratch,
    )
    handler = signal.getsignal(signal.SIGINT)
    config = ingested.config("train.epochs=3", "train.workers=2", "data.cache_gb=0")
    done = train(config, backend=dataclasses.replace(ingested.backend(), stage=stage))
    assert signal.getsignal(signal.SIGINT) is handler  # Ray puts its own there and leaves it
    # Epoch 1; killed in 2; 2 again; 3. A worker reads ahead: epoch 1 may not have been kept yet.
    assert stage.count(victim) in (4, 5)
    assert_same(done.history, three_epochs, tolerance=1e-3)
