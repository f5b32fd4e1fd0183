"""The model registry in files, under the contract, and what a crash leaves of it."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from lungreg.backends.local.bucket import BucketStage
from lungreg.backends.local.registry import StageModelRegistry
from lungreg.backends.local.stage import LocalStage
from lungreg.config import MODEL_NAME_FORM, Train
from lungreg.errors import ModelError, NotFoundError, StoreUnavailableError
from lungreg.records import ModelCard
from lungreg.stores import ModelRegistry
from lungreg.testing import FaultyStage
from tests.contracts.models import CARD, ModelRegistryContract


class TestLocalModels(ModelRegistryContract):
    """Files in a folder keep the contract."""

    @pytest.fixture
    def registry(self, tmp_path: Path) -> ModelRegistry:
        return StageModelRegistry(LocalStage(tmp_path))

    def damage_weights(self, registry: ModelRegistry, card: ModelCard) -> None:
        name = f"models/{card.name}/{card.version}/weights.safetensors"
        registry.stage.write(name, registry.stage.read(name)[:-1])


class TestBucketModels(TestLocalModels):
    """Files in a bucket keep the contract."""

    shared_between_processes = False

    @pytest.fixture
    def registry(self) -> ModelRegistry:
        return StageModelRegistry(BucketStage(f"memory://{uuid.uuid4().hex}"))


@dataclass
class FaultyFolder(FaultyStage):
    """A folder whose `write` and `upload` fail on demand, and whose `create` does not."""

    stage: LocalStage

    def create(self, name: str, data: bytes) -> None:
        self.stage.create(name, data)


@pytest.fixture
def registry(tmp_path: Path) -> StageModelRegistry:
    """An empty registry in a folder."""
    return StageModelRegistry(LocalStage(tmp_path))


def test_names_are_those_of_the_configuration() -> None:
    """What `train.name` may be, the registry takes, and nothing else."""
    pattern = Train.model_json_schema()["properties"]["name"]["pattern"]
    assert pattern == f"^{MODEL_NAME_FORM}$"


def test_files_lie_where_the_design_says(tmp_path: Path) -> None:
    """A version is a folder of weights and card that a person can copy."""
    stage = LocalStage(tmp_path)
    stored = StageModelRegistry(stage).add(CARD, b"weights")
    assert [info.name for info in stage.list()] == [
        "models/lungs/1/card.json",
        "models/lungs/1/claim",
        "models/lungs/1/weights.safetensors",
        "models/lungs/aliases/champion.json",
    ]
    assert ModelCard.from_json(stage.read("models/lungs/1/card.json")) == stored


@pytest.mark.parametrize("write", [1, 2])
def test_a_crash_leaves_an_invisible_version(write: int, tmp_path: Path) -> None:
    """A version whose weights or card could not be written keeps its number and shows nothing."""
    registry = StageModelRegistry(FaultyFolder(LocalStage(tmp_path), full_on={write}))
    with pytest.raises(StoreUnavailableError):
        registry.add(CARD, b"lost")
    assert registry.list() == []
    with pytest.raises(NotFoundError):
        registry.resolve("lungs", "1")
    assert registry.add(CARD, b"kept").version == "2"
    assert registry.resolve("lungs", "champion").version == "2"
    with pytest.raises(NotFoundError, match="there is 2, champion, latest"):
        registry.resolve("lungs", "1")


def test_the_folder_copied_elsewhere_keeps_its_models(tmp_path: Path) -> None:
    """No path is inside the files."""
    StageModelRegistry(LocalStage(tmp_path / "stage")).add(CARD, b"weights")
    shutil.copytree(tmp_path / "stage", tmp_path / "copy")
    shutil.rmtree(tmp_path / "stage")
    copy = StageModelRegistry(LocalStage(tmp_path / "copy"))
    assert copy.weights(copy.resolve("lungs", "champion")) == b"weights"
    assert copy.add(CARD, b"more").version == "2"


def test_a_damaged_card_or_alias_is_refused_in_words(registry: StageModelRegistry) -> None:
    """Files that people edited badly are errors, never guessed at."""
    registry.add(CARD, b"weights")
    registry.stage.write("models/lungs/aliases/champion.json", b"{}")
    with pytest.raises(ModelError, match="lungreg models promote"):
        registry.resolve("lungs", "champion")
    registry.stage.write("models/lungs/1/card.json", b"{")
    with pytest.raises(ModelError):
        registry.list()


def test_other_files_are_no_models(registry: StageModelRegistry) -> None:
    """What else lies below `models/` is passed over."""
    for name in ("README", "lungs/notes.txt", "lungs/old/card.json", "lungs/3/notes.txt"):
        registry.stage.write(f"models/{name}", b"x")
    assert registry.list() == []
    assert registry.add(CARD, b"x").version == "4"
    assert len(registry.list()) == 1
