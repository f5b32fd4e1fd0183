"""Adam against PyTorch's own, compiled and not."""

from __future__ import annotations

import pytest
import torch

from lungreg.registration.refinement import adam as module
from lungreg.registration.refinement.adam import Adam


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("shape", [(3, 4), (3, 5, 1, 7)])
def test_adam_is_pytorchs(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, *, fused: bool
) -> None:
    """The same steps as `torch.optim.Adam` with its defaults."""
    if fused:
        pytest.importorskip("numba")
    monkeypatch.setattr(module, "has_numba", lambda: fused)
    target = torch.randn(shape)
    ours, theirs = torch.zeros(shape), torch.zeros(shape, requires_grad=True)
    adam, optimiser = Adam(ours), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(20):
        adam.move(ours, 4 * (ours - target).pow(3), 0.1)
        optimiser.zero_grad()
        (theirs - target).pow(4).sum().backward()
        optimiser.step()
    torch.testing.assert_close(ours, theirs.detach())


def test_a_number_without_slope_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is divided by 0."""
    for fused in (True, False):
        monkeypatch.setattr(module, "has_numba", lambda fused=fused: fused)
        parameter = torch.ones(3, 2)
        Adam(parameter).move(parameter, torch.zeros(3, 2), 0.1)
        assert torch.equal(parameter, torch.ones(3, 2))
