"""Filters for GPUs, on a CPU: SciPy's values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter

from lungreg.spatial.filters import Beyond, gaussian_kernel, gaussian_kernels, smoothed
from lungreg.spatial.tensor_filters import box_mean, filtered

IMAGE = np.random.default_rng(0).normal(size=(4, 17, 9)).astype(np.float32)


def test_gaussian_is_that_of_scipy() -> None:
    """Along each axis its own width, wider than the volume or none."""
    sigma = np.array([2.5, 0.0, 0.7])
    expected = gaussian_filter(IMAGE, sigma, mode="nearest", truncate=3.0)
    found = filtered(torch.from_numpy(IMAGE), gaussian_kernels(sigma, truncate=3.0))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("beyond", ["nearest", "mirror"])
def test_the_same_as_on_a_cpu(beyond: Beyond) -> None:
    """Whatever the volume continues with, also where the kernel is longer than it."""
    kernels = [gaussian_kernel(1.5, 5)] * 3
    found = filtered(torch.from_numpy(IMAGE), kernels, beyond=beyond)
    np.testing.assert_allclose(found.numpy(), smoothed(IMAGE, kernels, beyond=beyond), atol=2e-6)


@pytest.mark.parametrize("sides", [(1, 2, 3), (4, 5, 8), (9, 40, 1)])
def test_box_mean_is_that_of_scipy(sides: tuple[int, int, int]) -> None:
    """Of odd and even sides, and wider than the volume."""
    expected = uniform_filter(IMAGE, sides, mode="constant")
    np.testing.assert_allclose(
        box_mean(torch.from_numpy(IMAGE), sides).numpy(), expected, atol=2e-6
    )


def test_the_volume_stays_as_it_was() -> None:
    """Nothing is written to what is filtered."""
    volume = torch.from_numpy(IMAGE.copy())
    filtered(volume, [gaussian_kernel(1.5, 5)] * 3)
    box_mean(volume, (3, 3, 3))
    assert torch.equal(volume, torch.from_numpy(IMAGE))
