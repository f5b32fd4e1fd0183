"""Curves in experiment tracking, through Snowflake's own client, under the contract."""

from __future__ import annotations

import logging
import math

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tracker import SnowflakeTracker
from lungreg.stores import Tracker
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.experiments import Experiments, Run
from tests.contracts.tracker import PARAMS, TrackerContract


@pytest.fixture
def experiments(peer: Peer) -> Experiments:
    """What the account has kept."""
    return Experiments(peer)


@pytest.fixture
def tracker(source: SessionSource, experiments: Experiments) -> SnowflakeTracker:
    """A tracker of an account that answers."""
    return SnowflakeTracker(source)


def runs(experiments: Experiments) -> dict[str, Run]:
    """The runs of the one experiment there is."""
    (found,) = experiments.runs.values()
    return found


class TestSnowflakeTracker(TrackerContract):
    """The library's client, an experiment and its runs keep the contract."""

    @pytest.fixture
    def tracker(self, source: SessionSource, experiments: Experiments) -> Tracker:
        self.experiments = experiments
        return SnowflakeTracker(source)

    def points(self, tracker: Tracker, run_id: str) -> dict[str, list[tuple[int, float]]]:
        name = run_id.upper().replace("-", "$")
        parts = [run for key, run in runs(self.experiments).items() if key.split("$P")[0] == name]
        curves: dict[str, list[tuple[int, float]]] = {}
        for key, step, value in (point for run in parts for point in run.points):
            curves.setdefault(key, []).append((step, value))
        return curves


@pytest.mark.snowflake
class TestAccountTracker(TrackerContract):
    """Curves in a real account keep the contract, without its warnings."""

    keeps = False

    @pytest.fixture
    def tracker(self, account: SessionSource) -> Tracker:
        return SnowflakeTracker(account)


def test_settings_pointers_and_the_end_are_kept(
    tracker: SnowflakeTracker, experiments: Experiments, source: SessionSource
) -> None:
    """Flat, under the run's id, in the utils schema; a failed run is marked as such."""
    tracker.start("train-1", PARAMS)
    tracker.finish("train-1", status="finished", tags={"version": "3"})
    tracker.start("train-2", {})
    tracker.finish("train-2", status="failed", tags={})
    assert [*experiments.runs] == [f"{source.settings.database}.UTILS.LUNGREG"]
    first, second = runs(experiments).values()
    assert (first.status, second.status) == ("FINISHED", "FAILED")
    assert first.params["train.epochs"] == "3"
    assert first.params["version"] == "3"


def test_a_resumed_run_that_was_not_finished_goes_on_in_its_own(
    tracker: SnowflakeTracker, experiments: Experiments, source: SessionSource
) -> None:
    """After a kill; its first settings stay, and nothing is warned of."""
    tracker.start("r", {"a": 1})
    tracker.log("r", {"loss": 2.0}, 1)
    later = SnowflakeTracker(source)
    later.start("r", {"a": 2})
    later.log("r", {"loss": 1.0}, 2)
    assert runs(experiments) == {
        "R": Run(params={"a": "1"}, points=[("loss", 1, 2.0), ("loss", 2, 1.0)])
    }


def test_a_finished_run_goes_on_beside_itself(
    tracker: SnowflakeTracker, experiments: Experiments
) -> None:
    """The account closes a run for good; no run of another name is taken for it."""
    for _ in range(3):
        tracker.start("r", {})
        tracker.finish("r", status="failed", tags={})
    tracker.start("r_2", {})
    tracker.start("rx2", {})
    assert [*runs(experiments)] == ["R", "R$P2", "R$P3", "R$2", "RX2"]


def test_what_json_has_not_is_left_out(tracker: SnowflakeTracker, experiments: Experiments) -> None:
    """A loss that is no number costs its own point, not those beside it."""
    tracker.log("r", {"loss": math.nan, "dice": 0.5, "tre": math.inf}, 1)
    tracker.log("r", {"loss": math.nan}, 2)
    assert runs(experiments)["R"].points == [("dice", 1, 0.5)]


def test_no_setting_ends_its_statement(tracker: SnowflakeTracker, experiments: Experiments) -> None:
    """Values stand in the text, between marks that they must not hold."""
    tracker.start("r", {"init": "x$$; DROP TABLE t; $$$"})
    assert runs(experiments)["R"].params["init"] == "x$ $; DROP TABLE t; $ $ $"


def test_the_users_own_tracking_is_left_alone(
    tracker: SnowflakeTracker, source: SessionSource
) -> None:
    """The class keeps one object for a process: a notebook's, which ours must not take over."""
    from snowflake.ml.experiment import ExperimentTracking

    tracker.start("r", {})
    assert ExperimentTracking._instance is None


def test_nothing_is_printed_and_no_source_is_sent(
    tracker: SnowflakeTracker, peer: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is one JSON document; file names and repositories are nobody's business."""
    tracker.start("r", PARAMS)
    tracker.finish("r", status="finished", tags={})
    assert capsys.readouterr().out == ""
    (added,) = peer.said("ADD RUN")
    assert "SOURCE_INFO" not in added.text


@pytest.mark.parametrize("fault", ["refused", "lost", "missing"])
def test_a_fault_stops_nothing_and_is_logged_once(
    tracker: SnowflakeTracker, peer: Peer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No privilege, no connection, no experiments in the account: the run goes on."""
    hurried = tracker.source.settings.model_copy(update={"timeout_s": 1})
    tracker = SnowflakeTracker(SessionSource(hurried))
    if fault == "refused":
        peer.mischief.deny("EXPERIMENT")
    elif fault == "lost":
        peer.mischief.drop("EXPERIMENT", times=1000)
    else:
        peer.forget()
    with caplog.at_level(logging.WARNING, logger="lungreg"):
        tracker.start("r", PARAMS)
        tracker.log("r", {"loss": 1.0}, 1)
        tracker.finish("r", status="finished", tags={})
    (record,) = (record for record in caplog.records if record.name.startswith("lungreg"))
    assert "training curves are not kept" in record.getMessage()


def test_an_account_that_does_not_answer_is_not_asked_for_ever(
    tracker: SnowflakeTracker, peer: Peer
) -> None:
    """A training of hundreds of epochs does not wait for each of them."""
    peer.mischief.deny("EXPERIMENT")
    for epoch in range(20):
        tracker.log("r", {"loss": 1.0}, epoch)
    assert len(peer.said("CREATE EXPERIMENT")) == 3


def test_after_a_lost_connection_the_curve_goes_on(
    tracker: SnowflakeTracker, experiments: Experiments, peer: Peer, source: SessionSource
) -> None:
    """One point is lost at most."""
    tracker.start("r", {})
    peer.expire_tokens()
    tracker.log("r", {"loss": 3.0}, 1)
    tracker.log("r", {"loss": 2.0}, 2)
    assert runs(experiments)["R"].points[-1] == ("loss", 2, 2.0)
