"""Mutual information with its gradient by hand: MONAI's, in less memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.losses import GlobalMutualInformationLoss
from torch import Tensor

from lungreg.learning import mutual_information
from lungreg.learning.mutual_information import BINS, Window, negative_mutual_information

WINDOWS: tuple[Window, ...] = ("gaussian", "b-spline")


def scans(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Two batches of two that share something; air is 0, and a few values lie beyond the range."""
    generator = torch.Generator().manual_seed(0)
    fixed = torch.rand(2, 1, 9, 10, 11, generator=generator, dtype=torch.float64)
    moved = fixed.square() + 0.1 * torch.rand(fixed.shape, generator=generator, dtype=fixed.dtype)
    fixed[:, :, :2], moved[:, :, :3] = 0, 0
    return moved.to(dtype), fixed.to(dtype)


def value_and_gradient(
    loss: Callable[[Tensor, Tensor], Tensor], moved: Tensor, fixed: Tensor
) -> tuple[Tensor, Tensor]:
    """Of a loss of two scans."""
    leaf = moved.clone().requires_grad_()
    value = loss(leaf, fixed)
    (3 * value).backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad / 3


def of(window: Window) -> Callable[[Tensor, Tensor], Tensor]:
    """Ours."""
    return lambda moved, fixed: negative_mutual_information(moved, fixed, window)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-5), (torch.float32, 1e-4)])
def test_gaussian_is_monais(dtype: torch.dtype, rtol: float) -> None:
    """Value and gradient, also of what lies beyond 0 to 1."""
    moved, fixed = scans(dtype)
    assert float(moved.max()) > 1
    monai = GlobalMutualInformationLoss(num_bins=BINS)
    found, expected = (value_and_gradient(it, moved, fixed) for it in (of("gaussian"), monai))
    torch.testing.assert_close(found[0], expected[0], rtol=rtol, atol=0)
    torch.testing.assert_close(
        found[1], expected[1], rtol=0, atol=rtol * float(expected[1].abs().max())
    )


def test_spline_is_monais_but_for_the_range() -> None:
    """The gradient too, but at the least and the largest value: MONAI moves the bins with them."""
    moved, fixed = (it[:1] for it in scans())
    monai = GlobalMutualInformationLoss("b-spline", num_bins=BINS)
    found, expected = (value_and_gradient(it, moved, fixed) for it in (of("b-spline"), monai))
    torch.testing.assert_close(found[0], expected[0], rtol=1e-6, atol=0)
    inner = (moved > moved.min()) & (moved < moved.max())
    most = float(expected[1][inner].abs().max())
    torch.testing.assert_close(found[1][inner], expected[1][inner], rtol=0, atol=1e-5 * most)


@pytest.mark.parametrize("window", WINDOWS)
def test_gradient_is_that_of_the_value(window: Window) -> None:
    """Against differences of the value itself, between the ends of the range."""
    moved, fixed = (it[:1, :, 4:6, :4, :4].clone() for it in scans())
    moved = moved.clamp(0.05, 0.95)
    moved[0, 0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    _, gradient = value_and_gradient(of(window), moved, fixed)
    step = torch.zeros_like(moved)
    step[0, 0, 1, 2, 3] = 1e-6
    ahead, behind = (negative_mutual_information(moved + s, fixed, window) for s in (step, -step))
    assert float((ahead - behind) / 2e-6) == pytest.approx(float(gradient[0, 0, 1, 2, 3]), rel=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("constant", ["moved", "fixed", "both"])
def test_a_constant_scan_shares_nothing(window: Window, value: float, constant: str) -> None:
    """As of a displacement that leads out of the scan, or a window that clips all of it."""
    moved, fixed = scans()
    moved = torch.full_like(moved, value) if constant != "fixed" else moved
    fixed = torch.full_like(fixed, value) if constant != "moved" else fixed
    found, gradient = value_and_gradient(of(window), moved, fixed)
    assert float(found) == pytest.approx(0, abs=1e-5)
    assert float(gradient.abs().max()) < 1e-5


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_no_number_gives_no_number(window: Window, odd: float) -> None:
    """Training says then that the loss is none; it is no error of its own."""
    moved, fixed = scans()
    moved[0, 0, 4, 4, 4] = odd
    found, _ = value_and_gradient(of(window), moved, fixed)
    assert odd == torch.inf or not torch.isfinite(found)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the last one is shorter."""
    whole = value_and_gradient(of("gaussian"), *scans())
    monkeypatch.setattr(mutual_information, "_CHUNK_VOXELS", 97)
    for found, expected in zip(value_and_gradient(of("gaussian"), *scans()), whole, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("window", WINDOWS)
def test_memory_does_not_grow_with_the_bins(window: Window) -> None:
    """A few values for each voxel are kept for the gradient, where MONAI keeps 23 and more."""
    moved, fixed = scans()
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        negative_mutual_information(moved.requires_grad_(), fixed, window)
    assert 0 < sum(kept) < 6 * moved.numel() + 4 * BINS**2
