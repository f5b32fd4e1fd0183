"""A pair registered in memory."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor

from lungreg.registration.pair import read_pair
from lungreg.testing import MemoryStage
from tests.grids import from_sitk, to_sitk
from tests.registration.registering import (
    NETWORK_GRID,
    SEED,
    GivenField,
    register_pair,
)
from tests.small_cases import FIXED_GRID, put_case

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


def test_network_sees_the_same_scan_as_in_training(stage: MemoryStage) -> None:
    """In a run the network gets the fixed scan, then the moving one, windowed, in a batch of 1."""
    shown: list[Tensor] = []

    class Spy(GivenField):
        def forward(self, pair: Tensor) -> Tensor:
            shown.append(pair.clone())
            return super().forward(pair)

    pair = read_pair(stage, put_case(stage, "a", seed=SEED))
    register_pair(pair, Spy(torch.zeros(1, 3, 16, 16, 16)), alignment="world")
    (batch,) = shown
    assert batch.shape == (1, 2, 16, 16, 16)
    image = to_sitk(np.clip((pair.fixed_hu + 1000) / 1500, 0, 1), FIXED_GRID)
    target = to_sitk(np.zeros((16, 16, 16), dtype=np.float32), NETWORK_GRID)
    expected = from_sitk(sitk.Resample(image, target, sitk.Transform(), sitk.sitkLinear, 0.0))
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(batch[0, 0].numpy()[inner], expected[inner], atol=1e-3)
