"""Curves in MLflow, under the contract, and that they can never harm a run."""

from __future__ import annotations

import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from lungreg.backends.local.tracker import MlflowTracker
from lungreg.stores import Tracker
from lungreg.stores.tracker import NullTracker
from tests.contracts.processes import start_python
from tests.contracts.tracker import PARAMS, TrackerContract


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose database is made: that takes MLflow seconds, so the tests copy it."""
    root = tmp_path_factory.mktemp("begun")
    MlflowTracker(root).start("the first", {})
    return root


@pytest.fixture
def tracker(begun: Path, tmp_path: Path) -> MlflowTracker:
    """A tracker in a root with a space, whose database was copied from elsewhere."""
    root = tmp_path / "the root"
    shutil.copytree(begun, root)
    return MlflowTracker(root)


def run_of(tracker: MlflowTracker, run_id: str) -> Any:
    """MLflow's own view of a run, asked of MLflow."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tracker.root}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("lungreg")
    runs = client.search_runs([experiment.experiment_id])
    (run,) = [run for run in runs if run.data.tags["lungreg.run_id"] == run_id]
    return client, run


class TestMlflowTracker(TrackerContract):
    """MLflow keeps the contract."""

    @pytest.fixture
    def tracker(self, tracker: MlflowTracker) -> Tracker:
        return tracker

    def points(self, tracker: Tracker, run_id: str) -> dict[str, list[tuple[int, float]]]:
        client, run = run_of(tracker, run_id)
        histories = {
            key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics
        }
        return {
            key: sorted((point.step, point.value) for point in history)
            for key, history in histories.items()
        }


class TestNullTracker(TrackerContract):
    """Keeping nothing keeps the contract."""

    keeps = False

    @pytest.fixture
    def tracker(self) -> Tracker:
        return NullTracker()


def test_settings_are_flat_and_within_the_limits(tracker: MlflowTracker) -> None:
    """Nested settings become "a.b"; more and longer ones than one call takes are no fault."""
    many = {f"key{number:03d}": number for number in range(250)}
    tracker.start("run", {**PARAMS, "many": many, "long": "x" * 9000, "k" * 300: 1})
    _, run = run_of(tracker, "run")
    params = run.data.params
    assert params["train.epochs"] == "3"
    assert params["train.init"] == "None"
    assert params["size"] == "[8, 8, 8]"
    assert params["many.key249"] == "249"
    assert len(params["long"]) == 6000
    assert params["k" * 250] == "1"


def test_finish_says_what_became_of_the_run(tracker: MlflowTracker) -> None:
    """Status and pointers are MLflow's own, so its page shows them."""
    tracker.start("run", {})
    assert run_of(tracker, "run")[1].info.status == "RUNNING"
    tracker.finish("run", status="finished", tags={"model_version": "3"})
    _, run = run_of(tracker, "run")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "run"
    assert run.data.tags["model_version"] == "3"
    tracker.start("run", {})
    assert run_of(tracker, "run")[1].info.status == "RUNNING"


def test_first_settings_stay(tracker: MlflowTracker) -> None:
    """MLflow forbids changing a parameter: a resumed run adds new ones and keeps the old."""
    tracker.start("run", {"seed": 1})
    tracker.start("run", {"seed": 2, "new": 3})
    assert run_of(tracker, "run")[1].data.params == {"seed": "1", "new": "3"}


def test_a_fault_is_warned_of_once_and_never_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A tracker that cannot work stops nothing and says so once, without a path."""
    (tmp_path / "mlflow").write_bytes(b"a file where the folder should be")
    tracker = MlflowTracker(tmp_path)
    with caplog.at_level(logging.WARNING):
        tracker.start("run", PARAMS)
        tracker.log("run", {"loss": 1.0}, 1)
        tracker.finish("run", status="finished", tags={})
    (record,) = caplog.records
    assert "training curves are not kept" in record.message
    assert str(tmp_path) not in record.message
    assert not record.exc_info


def test_a_damaged_database_is_no_fault_of_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that SQLite cannot open is warned of and left alone."""
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow/mlflow.db").write_bytes(b"no database" * 100)
    with caplog.at_level(logging.WARNING, logger="lungreg"):
        MlflowTracker(tmp_path).start("run", PARAMS)
    assert [record.name for record in caplog.records] == ["lungreg.backends.local.tracker"]
    assert (tmp_path / "mlflow/mlflow.db").read_bytes() == b"no database" * 100


def test_opening_and_pickling_touch_nothing(tmp_path: Path) -> None:
    """Until the first call there is no folder."""
    copy = pickle.loads(pickle.dumps(MlflowTracker(tmp_path / "root")))
    assert copy == MlflowTracker(tmp_path / "root")
    assert not (tmp_path / "root").exists()


@pytest.mark.slow
def test_two_processes_begin_at_once_and_talk_to_nobody(tmp_path: Path) -> None:
    """Both make the database and keep their curves; neither looks up or connects to a host.

    MLflow leaves its statistics off under a test runner, so its signs are taken away, and with
    them everything that switches them off but ourselves.
    """
    code = (
        "import os, sys, time\n"
        "for name in [*os.environ]:\n"
        "    if name not in ('PATH', 'PYTHONPATH', 'HOME'): del os.environ[name]\n"
        "calls = []\n"
        "def hook(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): calls.append(str(args))\n"
        "sys.addaudithook(hook)\n"
        "tracker, run_id = given\n"
        "tracker.start(run_id, {'a': 1})\n"
        "tracker.log(run_id, {'loss': 0.5}, 1)\n"
        "tracker.finish(run_id, status='finished', tags={})\n"
        "time.sleep(1)\n"
        "print(calls)\n"
    )
    tracker = MlflowTracker(tmp_path)
    first, second = (start_python(code, (tracker, name)) for name in ("a", "b"))
    with first, second:
        assert first.stdout.read() == second.stdout.read() == b"[]\n"
    for run_id in ("a", "b"):
        assert run_of(tracker, run_id)[1].data.metrics == {"loss": 0.5}
    assert [path.name for path in (tmp_path / "mlflow").iterdir()] == ["mlflow.db"]
