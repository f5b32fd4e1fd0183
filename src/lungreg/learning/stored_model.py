"""A model of the registry as an estimate of transforms."""

from __future__ import annotations

import torch

from lungreg.config import Config
from lungreg.learning.model_config import with_card
from lungreg.learning.network import build_network, load_weights
from lungreg.learning.prediction import network_estimate
from lungreg.records import ModelCard
from lungreg.registration.pair import Estimate
from lungreg.registration.refinement import refinement_estimate
from lungreg.stores import CHAMPION, ModelRegistry


def load_estimate(
    models: ModelRegistry, config: Config, model: str, device: torch.device
) -> tuple[Estimate, Config, ModelCard]:
    """Load a model by name, to start one pair's registration from.

    Args:
        models: The registry that has it.
        config: Of the run.
        model: "NAME" (its champion) or "NAME:VERSION".
        device: Where the network computes.

    Returns:
        The network's estimate, the config with the model's own preprocessing, and its card.

    Raises:
        NotFoundError: No such model or version.
        ModelError: The stored model does not fit its card, or the config contradicts it.
    """
    name, _, version = model.partition(":")
    card = models.resolve(name, version or CHAMPION)
    config = with_card(config, card)
    return _network_estimate(config, models.weights(card), device), config, card


def run_estimate(
    config: Config, weights: bytes, device: torch.device, *, processes: int = 1
) -> Estimate:
    """The estimate that a run registers with: the network's, then refined if `refine.enabled`.

    Args:
        config: With the preprocessing and network of the model, see `with_card`.
        weights: Safetensors bytes of that network.
        device: Where to compute.
        processes: Number of processes that register at once on this machine and share its memory.

    Raises:
        ModelError: The weights are of another network.
    """
    estimate = _network_estimate(config, weights, device)
    if config.refine.enabled:
        return refinement_estimate(
            config.refine, device, seed=config.seed, start=estimate, processes=processes
        )
    return estimate


def _network_estimate(config: Config, weights: bytes, device: torch.device) -> Estimate:
    network = load_weights(build_network(config.network), weights)
    return network_estimate(
        network.to(device).eval(),
        config.preprocessing,
        device,
        mixed_precision=config.infer.mixed_precision,
    )
