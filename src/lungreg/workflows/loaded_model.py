"""A model of the registry as an estimate of transforms."""

from __future__ import annotations

import torch

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.network import build_network, load_weights
from lungreg.pairs import Estimate
from lungreg.prediction import network_estimate
from lungreg.records import ModelCard
from lungreg.workflows.inference import with_card


def load_estimate(
    config: Config, model: str, device: torch.device
) -> tuple[Estimate, Config, ModelCard]:
    """Load a model.

    Args:
        config: Names the backend whose registry is asked.
        model: "NAME" (its champion) or "NAME:VERSION".
        device: Where the network computes.

    Returns:
        The network's estimate, the config with the model's own preprocessing, and its card.

    Raises:
        NotFoundError: No such model or version.
        ModelError: The stored model does not fit its card.
    """
    name, _, version = model.partition(":")
    models = open_backend(config.backend).for_run(None, "register").models
    card = models.resolve(name, version or "champion")
    config = with_card(config, card)
    network = build_network(config.network)
    load_weights(network, models.weights(card))
    estimate = network_estimate(network.to(device).eval(), config.preprocessing, device)
    return estimate, config, card
