"""Channels at scattered places, with their derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lungreg.registration.refinement.sampling import ChannelTable
from lungreg.spatial.displacement import sample

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (7, 5, 9)


def volume(channels: int) -> Tensor:
    """Noise, (1, C, X, Y, Z)."""
    return torch.rand(1, channels, *SHAPE, generator=torch.Generator().manual_seed(channels))


def places(beyond_vox: float = 0.0, count: int = 200) -> Tensor:
    """(3, N) over the volume, and so far beyond its outer voxel centres."""
    unit = torch.rand(3, count, generator=torch.Generator().manual_seed(0))
    size = torch.tensor(SHAPE)[:, None] - 1
    return unit * (size + 2 * beyond_vox) - beyond_vox


@pytest.mark.parametrize("channels", [1, 3, 13, 17])
def test_equals_grid_sample_and_its_gradient(channels: int) -> None:
    """Inside and beyond the volume, however many channels fill a row."""
    where = places(beyond_vox=1.5).requires_grad_()
    parts = volume(channels), volume(1)
    found = ChannelTable(*parts).sample(where)
    wanted = sample(torch.cat(parts, dim=1), where[None])[0].T
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    weights = torch.linspace(-1, 1, found.numel()).view(found.shape)
    slope, wanted_slope = (
        torch.autograd.grad((values * weights).sum(), where)[0] for values in (found, wanted)
    )
    torch.testing.assert_close(slope, wanted_slope, atol=1e-4, rtol=0)


def test_beyond_the_volume_nothing_changes() -> None:
    """Values stay those of the border, and no place is drawn anywhere."""
    where = torch.tensor([[-3.0], [2.2], [20.0]])
    found = ChannelTable(volume(2)).with_slopes(where)[0]
    border = ChannelTable(volume(2)).with_slopes(torch.tensor([[0.0], [2.2], [8.0]]))[0]
    torch.testing.assert_close(found[0], border[0])
    assert found[1].abs().max() == found[3].abs().max() == 0
    assert found[2].abs().max() > 0


def test_the_nearest_value_of_one_channel() -> None:
    """That of the voxel itself at its centre, of the border beyond."""
    part = volume(3)
    table = ChannelTable(part, volume(1))
    where = torch.tensor([[0.2, 6.0, -4.0], [3.6, 4.0, 2.0], [8.0, 0.4, 30.0]])
    expected = part[0, 1, [0, 6, 0], [4, 4, 2], [8, 0, 8]]
    assert torch.equal(table.nearest(where, 1), expected)
    assert torch.equal(table.nearest(where, -1), volume(1)[0, 0, [0, 6, 0], [4, 4, 2], [8, 0, 8]])
