"""The stores for tests keep the contract that they stand in for."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest

from lungreg.errors import AlreadyExistsError, StoreUnavailableError
from lungreg.stores import Stage
from lungreg.testing import FaultyStage, MemoryStage
from tests.contracts.stage import StageContract


class TestMemoryStage(StageContract):
    """A stage in memory keeps the contract."""

    shared_between_processes = False
    on_this_disk = False

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return MemoryStage()

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return set(stage.__getstate__())


class TestFaultyStage(StageContract):
    """A faulty stage without faults is the stage inside."""

    shared_between_processes = False
    on_this_disk = False

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return FaultyStage(MemoryStage())

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return set(stage.stage.__getstate__())


def test_a_file_and_a_folder_cannot_share_a_name_in_memory() -> None:
    """A user's test meets the same refusal as a folder gives."""
    stage = MemoryStage()
    stage.write("folder/file", b"x")
    for name in ("folder", "folder/file/deeper"):
        with pytest.raises(AlreadyExistsError):
            stage.write(name, b"y")


def test_the_nth_write_finds_a_full_disk(tmp_path: Path) -> None:
    """Writes are counted over all ways of writing; a full one changes nothing."""
    (tmp_path / "source").write_bytes(b"x")
    stage = FaultyStage(MemoryStage(), full_on=range(3, 5))
    stage.write("1", b"x")
    stage.write("2", b"x")
    with pytest.raises(StoreUnavailableError, match="a full disk"):
        stage.upload(tmp_path / "source", "3")
    with pytest.raises(StoreUnavailableError, match="free disk space"):
        stage.write("4", b"x")
    stage.write("5", b"x")
    assert [info.name for info in stage.list()] == ["1", "2", "5"]
    assert stage.writes == 5


def test_faults_keep_to_some_names() -> None:
    """`only` leaves other files alone, and does not count them."""
    stage = FaultyStage(MemoryStage(), full_on={1}, down_on={2}, only="results/")
    stage.write("config.json", b"x")
    with pytest.raises(StoreUnavailableError):
        stage.write("results/part", b"x")
    stage.write("results/part", b"x")
    assert stage.read("results/part") == b"x"
    assert stage.read("config.json") == b"x"
    with pytest.raises(StoreUnavailableError, match="no answer"):
        stage.read("results/part")


def test_a_slow_stage_waits() -> None:
    """`slow_s` holds up each write and read."""
    stage = FaultyStage(MemoryStage(), slow_s=0.05)
    begun = time.monotonic()
    stage.write("file", b"x")
    stage.read("file")
    assert time.monotonic() - begun >= 0.1


def test_counts_travel_with_a_copy() -> None:
    """A pickled stage goes on counting where it was."""
    stage = FaultyStage(MemoryStage(), full_on={2})
    stage.write("1", b"x")
    with pytest.raises(StoreUnavailableError):
        pickle.loads(pickle.dumps(stage)).write("2", b"x")
