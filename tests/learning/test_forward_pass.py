"""A network's forward pass in 32 bits and in 16, which a CPU can do too."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from lungreg.config import Network
from lungreg.learning.forward_pass import FULL, MOST_APART_VOX, ForwardPass, Precision, apart
from lungreg.learning.network import build_network, predict

HALF = Precision(dtype=torch.bfloat16)
"""The 16 bits that a CPU computes fastest in."""
LAST = Precision(dtype=torch.float32, memory_format=torch.channels_last_3d)
SHAPE = (1, 1, 32, 16, 16)
SOON, LATE = 0.0, 0.02


class Told(nn.Module):
    """A network that is as fast and as far off as it is told to be, in 32 bits and in 16."""

    def __init__(self, *, off_vox: float, seconds: float, seconds_half: float) -> None:
        super().__init__()
        self._off_vox = off_vox
        self._seconds = seconds, seconds_half

    def forward(self, scans: Tensor) -> Tensor:
        """(B, 3, X, Y, Z): zero or, in 16 bits, one vector everywhere."""
        half = torch.is_autocast_enabled("cpu")
        time.sleep(self._seconds[half])
        return torch.full((1, 3, *SHAPE[2:]), self._off_vox / 3**0.5 if half else 0.0)


def pair(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two random scans."""
    draws = torch.Generator().manual_seed(seed)
    return torch.rand(SHAPE, generator=draws), torch.rand(SHAPE, generator=draws)


def network() -> nn.Module:
    """A network whose displacements are a good voxel long."""
    torch.manual_seed(0)
    settings = Network(num_channel_initial=4, out_kernel_initializer="kaiming_uniform")
    return build_network(settings).eval()


@pytest.mark.parametrize(
    ("off_vox", "seconds", "seconds_half", "expected"),
    [
        (0.02, LATE, SOON, HALF),  # close and faster
        (0.02, SOON, LATE, FULL),  # close, but slower
        (0.03, LATE, SOON, FULL),  # further cases would be off by more than 0.05
        (float("inf"), LATE, SOON, FULL),  # overflow
        (float("nan"), LATE, SOON, FULL),
    ],
)
def test_fastest_of_those_that_are_close_is_taken(
    off_vox: float, seconds: float, seconds_half: float, expected: Precision
) -> None:
    """By the first pair; what is not within half of 0.05 voxels of 32 bits is never taken."""
    told = Told(off_vox=off_vox, seconds=seconds, seconds_half=seconds_half)
    forward = ForwardPass(told, (FULL, HALF))
    forward(*pair())
    assert forward.chosen is expected


def test_alone_32_bits_are_the_network_itself() -> None:
    """Nothing is tried, and nothing is changed."""
    made = network()
    with torch.inference_mode():
        assert torch.equal(ForwardPass(made)(*pair()), predict(made, *pair()))


@pytest.mark.parametrize("precision", [HALF, LAST])
def test_displacements_are_those_of_32_bits(precision: Precision) -> None:
    """In float32 and channels first whatever was computed in; the network serves both after."""
    made = network()
    with torch.inference_mode():
        exact = predict(made, *pair())
        found = precision.predict(made, *pair())
        assert found.dtype is torch.float32
        assert found.is_contiguous()
        assert 1 < float(exact.norm(dim=1).max()) < 10
        assert float(apart(found, exact)) < 3 * MOST_APART_VOX  # 8 bits of a mantissa: 0.4 %
        assert torch.equal(FULL.predict(made, *pair()), exact)


def test_what_is_taken_stays_close_on_other_pairs() -> None:
    """Whichever is fastest here: no other pair moves by more than 0.05 voxels."""
    made = network()
    forward = ForwardPass(made, (FULL, HALF, LAST))
    with torch.inference_mode():
        for seed in range(4):
            found, exact = forward(*pair(seed)), predict(made, *pair(seed))
            assert float(apart(found, exact)) <= MOST_APART_VOX
