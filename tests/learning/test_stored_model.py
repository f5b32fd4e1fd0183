"""A registered model brings its own preprocessing and network; a config may not contradict them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lungreg.backends.local.registry import StageModelRegistry
from lungreg.backends.local.stage import LocalStage
from lungreg.config import Config, parse_config
from lungreg.errors import ModelError, NotFoundError
from lungreg.learning.network import build_network, weights_to_bytes
from lungreg.learning.stored_model import load_estimate, run_estimate, with_card
from lungreg.records import ModelCard
from lungreg.registration.pair import read_pair
from lungreg.testing import MemoryStage
from tests.small_cases import put_case, small_config

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
TRAINED_WITH = small_config()


@pytest.fixture
def models(tmp_path: Path) -> StageModelRegistry:
    """A registry with two versions: the first is champion and moves nothing, the second does."""
    registry = StageModelRegistry(LocalStage(tmp_path))
    config = TRAINED_WITH.model_dump(mode="json", include={"preprocessing", "network"})
    network = build_network(TRAINED_WITH.network)
    registry.add(ModelCard(name="lungs", config=config), weights_to_bytes(network))
    with torch.no_grad():
        for parameter in network.output_block.parameters():  # type: ignore[union-attr]
            parameter.add_(0.05)
    registry.add(ModelCard(name="lungs", config=config), weights_to_bytes(network))
    return registry


def displaced_mm(models: StageModelRegistry, model: str) -> float:
    """How far the model moves a case at most."""
    estimate, _, _ = load_estimate(models, Config(), model, CPU)
    stage = MemoryStage()
    pair = read_pair(stage, put_case(stage, "case"))
    return float(np.abs(estimate(pair, np.eye(4)).transform.displacement_mm).max())


def test_a_version_or_the_champion_is_loaded(models: StageModelRegistry) -> None:
    """NAME is its champion, NAME:VERSION that version."""
    assert displaced_mm(models, "lungs") == 0
    assert displaced_mm(models, "lungs:2") > 0.1
    with pytest.raises(NotFoundError):
        load_estimate(models, Config(), "lungs:3", CPU)


def test_the_config_gets_preprocessing_and_network_of_the_model(models: StageModelRegistry) -> None:
    """Whatever the config leaves out; all else of it stays."""
    _, config, card = load_estimate(models, parse_config({"seed": 7}), "lungs", CPU)
    assert config.preprocessing.spatial_size == TRAINED_WITH.preprocessing.spatial_size
    assert config.network == TRAINED_WITH.network
    assert (config.seed, card.version) == (7, "1")


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("preprocessing", "spatial_size", [32, 32, 32], r"own, \[16, 16, 16\], got \[32, 32, 32\]"),
        ("preprocessing", "hu_window", [-900, 300], r"own, \[-1000.0, 500.0\]"),
        ("preprocessing", "alignment", "masks", "own, world, .*; infer.alignment changes it"),
        ("network", "num_channel_initial", 8, "own, 2, got 8; leave network.num_channel_initial"),
        ("network", "norm", "batch", "own, instance"),
    ],
)
def test_what_contradicts_the_model_is_refused(
    models: StageModelRegistry, section: str, key: str, value: object, says: str
) -> None:
    """The value of the model is named, and what to leave out."""
    config = parse_config({section: {key: value}})
    with pytest.raises(ModelError, match=f"{section}.{key} is the model's {says}"):
        with_card(config, models.resolve("lungs", "1"))


def test_what_agrees_with_the_model_may_be_set(models: StageModelRegistry) -> None:
    """The same values, and augmentation, which registration does not use."""
    raw = TRAINED_WITH.model_dump(mode="json", include={"preprocessing", "network"})
    raw["preprocessing"]["augmentation"] = {"noise_std": None}
    config = with_card(parse_config(raw), models.resolve("lungs", "1"))
    assert config.network == TRAINED_WITH.network


def test_weights_of_another_network_are_refused(models: StageModelRegistry) -> None:
    """A card and weights that do not belong together are never used."""
    card = dataclasses.replace(
        models.resolve("lungs", "1"), config={"network": {"extract_levels": [0, 1]}}
    )
    with pytest.raises(ModelError, match="of the network that the card describes"):
        run_estimate(with_card(Config(), card), models.weights(models.resolve("lungs", "1")), CPU)
