"""What every `lungreg.stores.Tracker` must do."""

from __future__ import annotations

import logging
import pickle

import pytest

from lungreg.stores import Tracker

PARAMS = {"seed": 1, "train": {"epochs": 3, "name": "lungs", "init": None}, "size": [8, 8, 8]}


class TrackerContract:
    """Subclasses give a tracker and, where it keeps anything, a look at what it kept."""

    keeps = True
    """Whether points can be had back."""

    @pytest.fixture
    def tracker(self) -> Tracker:
        raise NotImplementedError

    def points(self, tracker: Tracker, run_id: str) -> dict[str, list[tuple[int, float]]]:
        """(step, value) of each curve of a run, in order of step."""
        raise NotImplementedError

    def test_is_a_tracker(self, tracker: Tracker) -> None:
        """The implementation has every method of the Protocol."""
        assert isinstance(tracker, Tracker)

    def test_a_run_from_start_to_finish(
        self, tracker: Tracker, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Points of two runs come back apart and in order, and nothing is warned of."""
        with caplog.at_level(logging.WARNING):
            tracker.start("run-1", PARAMS)
            tracker.start("run-2", PARAMS)
            for epoch in (1, 2):
                tracker.log("run-1", {"train/loss": 1 / epoch, "val_dice": 0.5}, epoch)
            tracker.log("run-2", {"val_dice": 0.25}, 1)
            tracker.finish("run-1", status="finished", tags={"model_version": "3"})
            tracker.finish("run-2", status="failed", tags={})
        assert caplog.records == []
        if self.keeps:
            assert self.points(tracker, "run-1") == {
                "train/loss": [(1, 1.0), (2, 0.5)],
                "val_dice": [(1, 0.5), (2, 0.5)],
            }
            assert self.points(tracker, "run-2") == {"val_dice": [(1, 0.25)]}

    def test_start_of_a_known_run_goes_on(
        self, tracker: Tracker, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A resumed run keeps its points, in another process's copy too, with changed settings."""
        with caplog.at_level(logging.WARNING):
            tracker.start("run", PARAMS)
            tracker.log("run", {"loss": 2.0}, 1)
            tracker.finish("run", status="failed", tags={})
            copy = pickle.loads(pickle.dumps(tracker))
            copy.start("run", {**PARAMS, "seed": 2, "new": 1})
            copy.log("run", {"loss": 1.0}, 2)
        assert caplog.records == []
        if self.keeps:
            assert self.points(copy, "run") == {"loss": [(1, 2.0), (2, 1.0)]}
