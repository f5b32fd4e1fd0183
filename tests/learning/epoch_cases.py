"""Five prepared cases and a network past its zero start, for tests of one epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import torch
from torch import nn

from lungreg.learning.epoch import Learner
from lungreg.learning.loss_input import LossInput
from lungreg.learning.network import build_network, predict
from lungreg.learning.prepared_cases import prepare_case
from lungreg.learning.preprocessing import PreparedPair
from lungreg.records import Case
from lungreg.testing import MemoryStage
from tests.small_cases import put_case, small_config

CPU = torch.device("cpu")
STILL = {
    "rotation_deg": None,
    "translation_vox": None,
    "scale": None,
    "noise_std": None,
    "blur_sigma": None,
}
LOSS = {"mutual_information": 1.0, "bending_energy": 0.5, "dice": 2.0, "landmarks": 0.1}
CONFIG = small_config(
    loss=LOSS,
    train={"batch_size": 2},
    preprocessing={"augmentation": STILL},  # type: ignore[dict-item]
)

Load = Callable[[Case], PreparedPair]


@cache
def five_cases() -> tuple[list[Case], Load]:
    """Five cases: two with everything, one without landmarks, one without masks, one bare."""
    stage = MemoryStage()
    has = [(True, True), (True, False), (False, True), (False, False), (True, True)]
    cases = [
        put_case(stage, f"case_{i}", seed=i, masks=masks, points=points)
        for i, (masks, points) in enumerate(has)
    ]
    made = {case.case_id: prepare_case(stage, case, CONFIG.preprocessing) for case in cases}
    return cases, lambda case: made[case.case_id]


@cache
def _moving_network() -> nn.Module:
    """Made once: threads that draw weights at the same time would draw different ones."""
    torch.manual_seed(0)
    network = build_network(CONFIG.network)
    with torch.no_grad():
        for parameter in network.output_block.parameters():  # type: ignore[union-attr]
            parameter.normal_(std=0.05)
    return network


def make_learner(*, rate: float = 0.01, scaled: bool = False) -> Learner:
    """A network past its zero start, with plain gradient descent: steps show the gradients."""
    network = copy.deepcopy(_moving_network())
    return Learner(
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=rate),
        scaler=torch.amp.GradScaler("cpu", enabled=scaled),
        device=CPU,
        mixed_precision=False,
    )


def loss_inputs(network: nn.Module, pair: PreparedPair) -> LossInput:
    """A pair after the network, built by hand."""
    fixed, moving = pair.fixed[None], pair.moving[None]
    return LossInput(
        fixed=fixed,
        moving=moving,
        displacement_vox=predict(network, fixed, moving),
        grid=pair.grid,
        fixed_mask=None if pair.fixed_mask is None else pair.fixed_mask[None].float(),
        moving_mask=None if pair.moving_mask is None else pair.moving_mask[None].float(),
        fixed_points_vox=pair.fixed_points_vox,
        moving_points_vox=pair.moving_points_vox,
    )
