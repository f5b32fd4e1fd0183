"""Checkpoints on a stage: pointers move last, what must stay stays, nothing is executed."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from lungreg.errors import RunError, StoreUnavailableError
from lungreg.learning.checkpoints import Checkpoints, Pointer
from lungreg.stores import Stage
from lungreg.testing import FaultyStage, MemoryStage

FOLDER = "runs/train-1/checkpoints"


class RecordingStage(MemoryStage):
    """A stage that remembers the order of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""
        super().write(name, data)
        self.written.append(name.removeprefix(f"{FOLDER}/"))


class Bomb:
    """A pickle that would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def checkpoints(stage: Stage, *, save_every: int = 5) -> Checkpoints:
    """Those of one run."""
    return Checkpoints(stage=stage, run_id="train-1", save_every=save_every)


def state(epoch: int) -> dict[str, Any]:
    """What a run stores, in small."""
    return {"epoch": epoch, "network": {"w": torch.full((3,), float(epoch))}, "history": [{}]}


def files(stage: Stage) -> list[str]:
    """Names of the files of the run."""
    return [info.name.removeprefix(f"{FOLDER}/") for info in stage.list(FOLDER)]


class TestSave:
    def test_comes_back(self) -> None:
        """What was saved last is loaded, tensors and all; another run has nothing."""
        stage = MemoryStage()
        checkpoints(stage).save(state(1), epoch=1, best=True)
        checkpoints(stage).save(state(2), epoch=2, best=False)
        last = checkpoints(stage).load()
        assert last is not None
        assert last["epoch"] == 2
        assert torch.equal(last["network"]["w"], torch.full((3,), 2.0))
        best = checkpoints(stage).load("best")
        assert best is not None
        assert best["epoch"] == 1
        other = Checkpoints(stage=stage, run_id="train-2", save_every=5)
        assert other.load() is None
        assert other.pointers() == {}

    def test_pointers_move_last(self) -> None:
        """First the state, then the pointer to it, and `last` after `best`."""
        stage = RecordingStage()
        checkpoints(stage).save(state(1), epoch=1, best=True)
        assert stage.written == ["epoch_00001.pt", "best.json", "last.json"]
        pointers = checkpoints(stage).pointers()
        assert pointers["last"] == Pointer(name=f"{FOLDER}/epoch_00001.pt", epoch=1)

    @pytest.mark.parametrize("failing", [1, 2, 3])
    def test_killed_in_between_keeps_the_old(self, failing: int) -> None:
        """Whichever write a run dies in, the last state and the best one can be loaded."""
        inner = MemoryStage()
        checkpoints(inner).save(state(1), epoch=1, best=True)
        broken = FaultyStage(inner, full_on={failing})
        with pytest.raises(StoreUnavailableError):
            checkpoints(broken).save(state(2), epoch=2, best=True)
        for which, epochs in (("last", {1}), ("best", {1, 2})):
            found = checkpoints(inner).load(which)
            assert found is not None
            assert found["epoch"] in epochs
        checkpoints(inner).save(state(2), epoch=2, best=True)
        assert files(inner) == ["best.json", "epoch_00002.pt", "last.json"]

    def test_keeps_every_so_many_epochs(self) -> None:
        """States of every `save_every` epochs stay, besides the last and the best."""
        stage = MemoryStage()
        for epoch in range(1, 9):
            checkpoints(stage, save_every=3).save(state(epoch), epoch=epoch, best=epoch == 4)
        assert files(stage) == [
            "best.json",
            "epoch_00003.pt",
            "epoch_00004.pt",
            "epoch_00006.pt",
            "epoch_00008.pt",
            "last.json",
        ]

    def test_drops_the_best_that_was(self) -> None:
        """A better epoch takes the place of the best one."""
        stage = MemoryStage()
        for epoch in range(1, 4):
            checkpoints(stage).save(state(epoch), epoch=epoch, best=epoch != 2)
        assert files(stage) == ["best.json", "epoch_00003.pt", "last.json"]


class TestLoad:
    @pytest.fixture
    def stage(self) -> MemoryStage:
        """A stage with one checkpoint."""
        stage = MemoryStage()
        checkpoints(stage).save(state(1), epoch=1, best=True)
        return stage

    @pytest.mark.parametrize("kept", [0, 1, 30, 200, 700])
    def test_cut_off_state_is_refused(self, stage: MemoryStage, kept: int) -> None:
        """Part of a state is no state; the message says what to do and hides the path."""
        name = f"{FOLDER}/epoch_00001.pt"
        stage.write(name, stage.read(name)[:kept])
        with pytest.raises(RunError, match=r"a checkpoint .* can be read") as caught:
            checkpoints(stage).load()
        assert caught.value.where == name
        assert FOLDER not in caught.value.anonymous

    @pytest.mark.parametrize(
        "data",
        [b"garbage", b"PK\x03\x04" + bytes(99), pickle.dumps([1, 2], protocol=2), bytes(500)],
    )
    def test_other_bytes_are_refused(self, stage: MemoryStage, data: bytes) -> None:
        """Whatever lies there instead, it is an error of ours."""
        stage.write(f"{FOLDER}/epoch_00001.pt", data)
        with pytest.raises(RunError, match="can be read"):
            checkpoints(stage).load()

    def test_tensor_alone_is_no_state(self, stage: MemoryStage) -> None:
        """A sound file of something else is refused like a damaged one."""
        buffer = io.BytesIO()
        torch.save(torch.zeros(3), buffer)
        stage.write(f"{FOLDER}/epoch_00001.pt", buffer.getvalue())
        with pytest.raises(RunError, match="can be read"):
            checkpoints(stage).load()

    def test_missing_state_is_refused(self, stage: MemoryStage) -> None:
        """A pointer to nothing is a damaged run, not a new one."""
        stage.delete(f"{FOLDER}/epoch_00001.pt")
        with pytest.raises(RunError, match="got NotFoundError"):
            checkpoints(stage).load()

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', '"text"'])
    def test_damaged_pointer_is_refused(self, stage: MemoryStage, text: str) -> None:
        """A pointer that is no pointer is an error of ours too."""
        stage.write(f"{FOLDER}/last.json", text.encode())
        with pytest.raises(RunError, match="pointer is JSON"):
            checkpoints(stage).load()

    def test_nothing_is_executed(self, stage: MemoryStage, tmp_path: Path) -> None:
        """A state that carries code is refused before any of it runs."""
        buffer = io.BytesIO()
        torch.save({"epoch": Bomb(tmp_path / "boom")}, buffer)
        stage.write(f"{FOLDER}/epoch_00001.pt", buffer.getvalue())
        with pytest.raises(RunError, match="UnpicklingError"):
            checkpoints(stage).load()
        assert not (tmp_path / "boom").exists()

    def test_pointer_is_plain_json(self, stage: MemoryStage) -> None:
        """A person can read which epoch is last."""
        pointer = json.loads(stage.read(f"{FOLDER}/last.json"))
        assert pointer == {"name": f"{FOLDER}/epoch_00001.pt", "epoch": 1}
