from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lungreg.registration.refinement.beyond_wall import continued

SHAPE = (23, 22, 25)
INSIDE = slice(5, 16), slice(6, 16), slice(4, 18)
MATRIX = torch.tensor([[0.3, -0.1, 0.05], [0.0, 0.2, 0.1], [-0.2, 0.1, -0.3]])


def places() -> Tensor:
    """(3, X, Y, Z) indices of the nodes."""
    axes = [torch.arange(size, dtype=torch.float32) for size in SHAPE]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def linear(offset: float = 0.0) -> Tensor:
    """A motion that is linear in space, mm."""
    return torch.tensordot(MATRIX, places() - 11, dims=1) + offset


@pytest.fixture
def lungs() -> Tensor:
    inside = torch.zeros(SHAPE)
    inside[INSIDE] = 1
    return inside


def test_lungs_that_slide_go_on_beyond_their_wall(lungs: Tensor) -> None:
    """Within two nodes of it, by the linear motion that they have; the body moves otherwise."""
    nodes = torch.where(lungs > 0.5, linear(), linear(40.0))
    found = continued(nodes, lungs)
    assert torch.equal(found[:, lungs > 0.5], nodes[:, lungs > 0.5])
    beside = found[:, 4, 7:15, 6:16], found[:, 8:12, 16, 6:16], found[:, 8:12, 8:12, 19]
    wanted = linear()[:, 4, 7:15, 6:16], linear()[:, 8:12, 16, 6:16], linear()[:, 8:12, 8:12, 19]
    for got, right in zip(beside, wanted, strict=True):
        assert (got - right).abs().mean() < 0.6
    assert torch.equal(found[:, :, :, 22:], nodes[:, :, :, 22:])
    assert torch.equal(found[:, 20:], nodes[:, 20:])


def test_a_motion_that_is_one_with_the_body_stays(lungs: Tensor) -> None:
    """But for what means of nodes at the wall, of which a part is lung, are off their middle."""
    found = continued(linear(), lungs)
    assert (found - linear()).abs().max() < 0.2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_a_wall_nothing_changes(share: float) -> None:
    nodes = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    assert torch.equal(continued(nodes, torch.full(SHAPE, share)), nodes)


def test_a_grid_of_one_layer_is_left_alone() -> None:
    nodes = torch.ones(3, 1, 5, 5)
    assert torch.equal(continued(nodes, torch.ones(1, 5, 5)), nodes)
