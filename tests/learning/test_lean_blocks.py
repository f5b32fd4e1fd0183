"""LocalNet with fewer passes over memory: MONAI's values, gradients and names of weights."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets.regunet import LocalNet
from torch import Tensor, nn

from lungreg.config import Network
from lungreg.learning.network import build_network

LEAN = "lungreg.learning.network.with_lean_blocks"


def as_monai_has_it(network: LocalNet, mode: str) -> LocalNet:
    """MONAI's own blocks, but for the last enlargement's mode, which it cannot be told."""
    network.output_block.mode = mode  # type: ignore[assignment]  # a module's plain str
    return network


def value_and_gradients(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Of a random pair."""
    scans = torch.rand(2, 2, 16, 16, 24, generator=torch.Generator().manual_seed(0))
    found = network(scans.double())
    found.square().mean().backward()
    return found.detach(), {
        name: p.grad for name, p in network.named_parameters() if p.grad is not None
    }


@pytest.mark.parametrize(
    ("levels", "mode", "norm"),
    [
        ((0, 1, 2, 3), "trilinear", "instance"),
        ((0, 1, 2, 3), "nearest", "batch"),
        ((3,), "nearest", "instance"),
        ((1, 3), "trilinear", "batch"),
    ],
)
def test_equals_monai(
    monkeypatch: pytest.MonkeyPatch, levels: tuple[int, ...], mode: str, norm: str
) -> None:
    """Value, gradient of every weight, and the names that weights are stored under."""
    settings = Network(
        num_channel_initial=2,
        extract_levels=levels,
        mode=mode,  # type: ignore[arg-type]  # one of its literals
        norm=norm,  # type: ignore[arg-type]  # one of its literals
        out_kernel_initializer="kaiming_uniform",
    )
    lean = build_network(settings).double()
    monkeypatch.setattr(LEAN, as_monai_has_it)
    monai = build_network(settings).double()
    assert list(lean.state_dict()) == list(monai.state_dict())
    monai.load_state_dict(lean.state_dict())
    (found, slopes), (expected, wanted) = map(value_and_gradients, (lean, monai))
    assert float(expected.std()) > 0
    torch.testing.assert_close(found, expected)
    assert slopes.keys() == wanted.keys()
    for name, slope in slopes.items():
        torch.testing.assert_close(slope, wanted[name])
