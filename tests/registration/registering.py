"""Cases registered with networks whose displacement is known, for tests of what comes out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lungreg.config import Alignment, Config
from lungreg.learning.prediction import network_estimate
from lungreg.records import (
    Case,
    CaseResult,
    ModelCard,
    RegistrationJob,
)
from lungreg.registration.case import register_case
from lungreg.registration.pair import Pair
from lungreg.registration.register import Registered
from lungreg.registration.register import register_pair as register_with
from lungreg.spatial.geometry import apply_affine
from lungreg.stores.names import RunNames
from lungreg.testing import FaultyStage, MemoryStage
from tests.grids import voxels
from tests.small_cases import FIXED_GRID, breath, small_config

CPU = torch.device("cpu")
CONFIG = small_config()
NETWORK_GRID = FIXED_GRID.resized((16, 16, 16))
SEED = 2


class GivenField(nn.Module):
    """A network that always gives one displacement."""

    def __init__(self, field_vox: Tensor) -> None:
        super().__init__()
        self.field_vox = field_vox

    def forward(self, pair: Tensor) -> Tensor:
        """(B, 3, X, Y, Z) in network voxels."""
        return self.field_vox.expand(len(pair), -1, -1, -1, -1)


def true_network() -> nn.Module:
    """Knows the map that the case was made with."""
    index = voxels(NETWORK_GRID)
    moved = NETWORK_GRID.to_voxel(apply_affine(breath(SEED), NETWORK_GRID.to_world(index)))
    return GivenField(torch.from_numpy((moved - index).T.reshape(1, 3, 16, 16, 16)).float())


def waving_network() -> nn.Module:
    """A smooth field that is neither linear nor a fold."""
    x, y, z = (voxels(NETWORK_GRID) / 4.0).T
    waves = 0.6 * np.stack([np.sin(x + y), np.cos(z), np.sin(y - z)])
    return GivenField(torch.from_numpy(waves.reshape(1, 3, 16, 16, 16)).float())


def make_job(config: Config = CONFIG, **changes: object) -> RegistrationJob:
    """A run."""
    values: dict[str, object] = {
        "run_id": "infer-1",
        "config": config,
        "card": ModelCard(name="lungs", version="3"),
        "splits": {},
        "alignment": "world",
        "provenance": {"model": "lungs 3"},
    }
    return RegistrationJob(**{**values, **changes})  # type: ignore[arg-type]


def register(
    stage: MemoryStage | FaultyStage, case: Case, network: nn.Module, **changes: object
) -> CaseResult:
    """Register a case without its page."""
    job = make_job(**changes)  # type: ignore[arg-type]
    estimate = network_estimate(network, job.config.preprocessing, CPU)
    return register_case(stage, case, estimate, job, device=CPU, render=None)


def register_pair(
    pair: Pair, network: nn.Module, config: Config = CONFIG, *, alignment: Alignment
) -> Registered:
    """Register a pair in memory."""
    estimate = network_estimate(network, config.preprocessing, CPU)
    hu_window = config.preprocessing.hu_window
    return register_with(
        pair,
        estimate,
        hu_window=hu_window,
        alignment=alignment,
        thresholds=config.quality,
        device=CPU,
    )


def output(stage: MemoryStage, name: str, case_id: str = "a") -> bytes:
    """A file of the run."""
    return stage.read(RunNames("infer-1").case(case_id).file(name))
