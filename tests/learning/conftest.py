"""What tests of training share: cases on a stage of the test's own, caches that do not meet."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from lungreg.records import Case, Split
from lungreg.testing import MemoryStage
from tests.learning.training_runs import copied
from tests.small_cases import put_case


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches of runs with one name do not meet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def files() -> tuple[MemoryStage, list[Case]]:
    """Three cases; tests copy the stage, so that runs do not meet."""
    stage = MemoryStage()
    return stage, [put_case(stage, f"case_{i}", seed=i) for i in range(3)]


@pytest.fixture
def stage(files: tuple[MemoryStage, list[Case]]) -> MemoryStage:
    """A stage of the test's own."""
    return copied(files[0])


@pytest.fixture
def cases(files: tuple[MemoryStage, list[Case]]) -> dict[Split, list[Case]]:
    """Two to train on and one to validate on."""
    return {Split.TRAIN: files[1][:2], Split.VAL: files[1][2:], Split.TEST: []}
