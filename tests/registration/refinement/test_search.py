"""The discrete first step."""

from __future__ import annotations

import pytest
import torch

from lungreg.registration.refinement import search as module
from lungreg.registration.refinement.search import search

pytestmark = pytest.mark.usefixtures("one_thread")


def blocks() -> torch.Tensor:
    """Features that are nowhere alike."""
    return torch.rand(1, 12, 16, 15, 14, generator=torch.Generator().manual_seed(1))


def test_finds_a_shift() -> None:
    """Every place moves by the same whole voxels."""
    fixed = blocks()
    shift = (2, -1, 3)
    moving = torch.roll(fixed, shift, dims=(2, 3, 4))
    found = search(fixed, moving, torch.ones(1, 1, 16, 15, 14), 3)
    inner = found[:, 4:-4, 4:-4, 4:-4]
    expected = torch.tensor(shift).view(3, 1, 1, 1).expand_as(inner).float()
    torch.testing.assert_close(inner, expected, atol=0.02, rtol=0)


def test_places_without_weight_follow_their_neighbours() -> None:
    """A part that shows something else does not pull."""
    fixed = blocks()
    moving = torch.roll(fixed, (1, 0, 0), dims=(2, 3, 4))
    moving[:, :, 7:9, 7:9, 7:9] = 5.0
    weight = torch.ones(1, 1, 16, 15, 14)
    weight[..., 5:10, 5:10, 5:10] = 0
    found = search(fixed, moving, weight, 2)
    assert found[0, 7, 7, 7] == pytest.approx(1.0, abs=0.2)


def test_slabs_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by working through the places bit by bit."""
    fixed = blocks()
    moving = torch.roll(fixed, (1, -2, 0), dims=(2, 3, 4))
    weight = torch.ones(1, 1, 16, 15, 14)
    whole = search(fixed, moving, weight, 2)
    monkeypatch.setattr(module, "SLAB_COSTS", 10_000)
    torch.testing.assert_close(search(fixed, moving, weight, 2), whole)


@pytest.mark.parametrize("at_once", [1, 5])
def test_displacements_at_once_are_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of them, as on a GPU, or one after the other."""
    fixed = blocks()
    moving = torch.roll(fixed, (1, -2, 0), dims=(2, 3, 4))
    weight = torch.rand(1, 1, 16, 15, 14, generator=torch.Generator().manual_seed(2))
    one = search(fixed, moving, weight, 2)
    monkeypatch.setattr(module, "at_once", lambda *_: at_once)
    torch.testing.assert_close(search(fixed, moving, weight, 2), one)


def test_where_nothing_is_compared_nothing_moves() -> None:
    """All costs are equal there: of displacements that are as good as each other the least."""
    nothing = torch.zeros(1, 1, 16, 15, 14)
    assert search(blocks(), blocks(), nothing, 2).abs().max() == 0
