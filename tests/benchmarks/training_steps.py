"""The steps of training, the reference recipe's beside lungreg's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from monai.losses import BendingEnergyLoss, GlobalMutualInformationLoss
from torch import Tensor
from torch.optim import Adam

from lungreg.config import Augmentation, Config
from lungreg.learning.epoch import Learner, train_epoch
from lungreg.learning.losses import second_derivative_energy
from lungreg.learning.mutual_information import negative_mutual_information
from lungreg.learning.network import build_network
from lungreg.learning.workers import OneWorker
from lungreg.spatial.displacement import CPU, warp
from tests.benchmarks import recipe
from tests.benchmarks.case_steps import OUR_LEVELS, PUBLISHED_LEVELS, published
from tests.benchmarks.given_case import Given
from tests.benchmarks.one_step import Step, Work

_NONE = Augmentation(
    rotation_deg=None, translation_vox=None, scale=None, noise_std=None, blur_sigma=None
)


def training_steps(given: Given) -> Iterator[Step]:
    """Losses with their gradients, then a whole step on one pair."""
    fixed, moving = given.prepared.fixed[None], given.prepared.moving[None]
    field = given.displacement_vox
    theirs = GlobalMutualInformationLoss()
    warped = warp(moving, field)
    yield Step(
        name="mutual information and its gradient",
        recipe=_gradient(lambda x: theirs(x, fixed), warped),
        lungreg=_gradient(lambda x: negative_mutual_information(x, fixed, "gaussian"), warped),
    )
    yield Step(
        name="bending energy and its gradient",
        recipe=_gradient(BendingEnergyLoss(), field),
        lungreg=_gradient(lambda x: second_derivative_energy(x, (1.0, 1.0, 1.0)), field),
    )
    yield _whole_step(given, PUBLISHED_LEVELS, published(), "")
    preprocessing = given.config.preprocessing.model_copy(update={"augmentation": _NONE})
    ours = given.config.model_copy(update={"preprocessing": preprocessing})
    differs = (
        "recipe: LocalNet with these levels; lungreg: instance norm, trilinear enlargement, "
        "bending energy in mm"
    )
    yield _whole_step(given, OUR_LEVELS, ours, differs)


def _whole_step(given: Given, levels: tuple[int, ...], config: Config, differs: str) -> Step:
    """Forward pass, warp, loss, backward pass and optimiser, input in memory, nothing augmented."""
    theirs = recipe.training(levels)
    scans = {"fixed": given.prepared.fixed[None], "moving": given.prepared.moving[None]}
    return Step(
        name=f"training on one pair, levels {list(levels)}",
        recipe=lambda: theirs.step(scans),
        lungreg=_train(given, config),
        differs=differs,
    )


def _train(given: Given, config: Config) -> Work:
    network = build_network(config.network)
    learner = Learner(
        network=network,
        optimizer=Adam(network.parameters(), lr=config.train.learning_rate),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        device=CPU,
        mixed_precision=False,
    )
    workers = OneWorker()
    return lambda: train_epoch(
        learner, [given.case], lambda _case: given.prepared, config, epoch=1, workers=workers
    )


def _gradient(loss: Callable[[Tensor], Tensor], at: Tensor) -> Callable[[], Tensor]:
    """Computes a loss and returns its gradient, in the shape of what it is a loss of."""

    def run() -> Tensor:
        leaf = at.detach().requires_grad_()
        (found,) = torch.autograd.grad(loss(leaf), leaf)
        return found

    return run
