"""A network's forward pass in 32 bits and in 16, which a CPU can do too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lungreg.config import Network
from lungreg.learning.forward_pass import FULL, MOST_APART_VOX, ForwardPass, Precision, apart
from lungreg.learning.network import build_network, predict

HALF = Precision(dtype=torch.bfloat16)
"""The 16 bits that a CPU computes fastest in."""
TF32 = Precision(tf32=True)
SHAPE = (1, 1, 32, 16, 16)


class Told(nn.Module):
    """A network that is as far off as it is told to be, in 16 bits and in TF32."""

    def __init__(self, *, half_vox: float, tf32_vox: float) -> None:
        super().__init__()
        self._half_vox, self._tf32_vox = half_vox, tf32_vox

    def forward(self, scans: Tensor) -> Tensor:
        """(B, 3, X, Y, Z): zero, or one vector everywhere."""
        off_vox = 0.0
        if torch.is_autocast_enabled("cpu"):
            off_vox = self._half_vox
        elif torch.backends.cudnn.allow_tf32:
            off_vox = self._tf32_vox
        return torch.full((1, 3, *SHAPE[2:]), off_vox / 3**0.5)


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
    ("half_vox", "tf32_vox", "expected"),
    [
        (0.02, 0.01, HALF),  # both are close: the preferred one
        (0.03, 0.01, TF32),  # further cases would be off by more than 0.05
        (float("inf"), 0.01, TF32),  # overflow
        (float("nan"), 0.01, TF32),
        (0.03, 0.03, FULL),
    ],
)
def test_the_first_that_is_close_is_taken(
    half_vox: float, tf32_vox: float, expected: Precision
) -> None:
    """By the first pair; what is not within half of 0.05 voxels of 32 bits is never taken."""
    forward = ForwardPass(Told(half_vox=half_vox, tf32_vox=tf32_vox), (HALF, TF32))
    forward(*pair())
    assert forward.chosen == expected
    # The second pair computes as the first one decided.
    first, second = forward(*pair()), forward(*pair(1))
    assert torch.equal(first, second)


def test_alone_32_bits_are_the_network_itself() -> None:
    """Nothing is tried, and nothing is changed."""
    made = network()
    with torch.inference_mode():
        assert torch.equal(ForwardPass(made)(*pair()), predict(made, *pair()))


@pytest.mark.parametrize("precision", [FULL, TF32, HALF])
def test_settings_of_the_process_stay_as_they_were(precision: Precision) -> None:
    """Whether convolutions may use TF32 is a setting of the whole process."""
    before = torch.backends.cudnn.allow_tf32
    with torch.inference_mode():
        precision.predict(network(), *pair())
    assert torch.backends.cudnn.allow_tf32 == before


def test_displacements_are_those_of_32_bits() -> None:
    """In float32 whatever was computed in; the network serves both after."""
    made = network()
    with torch.inference_mode():
        exact = predict(made, *pair())
        found = HALF.predict(made, *pair())
        assert found.dtype is torch.float32
        assert 1 < float(exact.norm(dim=1).max()) < 10
        assert float(apart(found, exact)) < 3 * MOST_APART_VOX  # 8 bits of a mantissa: 0.4 %
        assert torch.equal(FULL.predict(made, *pair()), exact)


def test_what_is_taken_stays_close_on_other_pairs() -> None:
    """No other pair moves by more than 0.05 voxels."""
    made = network()
    forward = ForwardPass(made, (HALF,))
    with torch.inference_mode():
        for seed in range(4):
            found, exact = forward(*pair(seed)), predict(made, *pair(seed))
            assert float(apart(found, exact)) <= MOST_APART_VOX
