"""Self-similarity: what it says, and what it does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lungreg.registration.refinement.features import (
    CHANNELS,
    _pooled_mean,
    cube_mean,
    local_contrast,
    pooled,
    self_similarity,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def image(*shape: int) -> torch.Tensor:
    """Noise."""
    return torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(0))


def test_equals_the_definition_voxel_by_voxel() -> None:
    """Twelve pairs of neighbours at right angles; exp(-D / V), D means over patches of 27."""
    values = image(9, 8, 10)
    padded = np.pad(values[0, 0].double().numpy(), 6, mode="edge")
    around = list(itertools.product((-1, 0, 1), repeat=3))
    steps = [2 * sign * np.eye(3, dtype=int)[axis] for axis in range(3) for sign in (1, -1)]
    pairs = [(a, b) for a, b in itertools.combinations(steps, 2) if a @ b == 0]
    assert len(pairs) == CHANNELS
    distances = np.empty((CHANNELS, 9, 8, 10))
    for channel, (a, b) in enumerate(pairs):
        for place in np.ndindex(9, 8, 10):
            # Patches beyond the edge repeat the difference at the edge.
            near = [np.clip(np.add(place, p), 0, np.array([8, 7, 9])) + 6 for p in around]
            gaps = [padded[tuple(n + a)] - padded[tuple(n + b)] for n in near]
            distances[(channel, *place)] = np.mean(np.square(gaps))
    distances -= distances.min(axis=0)
    variance = distances.mean(axis=0)
    variance = np.clip(variance, 1e-3 * variance.mean(), 1e3 * variance.mean())
    found = self_similarity(values)[0].numpy()
    np.testing.assert_allclose(found, np.exp(-distances / variance), atol=1e-4)


def test_brightness_and_contrast_do_not_matter() -> None:
    """Breathing changes the density of the lungs, not what they look like."""
    values = image(12, 12, 12)
    torch.testing.assert_close(
        self_similarity(0.4 * values - 700), self_similarity(values), atol=2e-3, rtol=0
    )


def test_nothing_to_see_is_a_number() -> None:
    """A constant image has no variance to divide by."""
    assert torch.isfinite(self_similarity(torch.full((1, 1, 6, 6, 6), -1000.0))).all()


@pytest.mark.parametrize("radius", [1, 2, 4])
@pytest.mark.parametrize("shape", [(2, 3, 9, 8, 10), (1, 1, 1, 3, 20), (1, 2, 30, 2, 1)])
def test_compiled_means_are_those_of_pytorch(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], radius: int
) -> None:
    """To the bit, of many volumes and of some thinner than the window; gradients stay possible."""
    pytest.importorskip("numba")
    volumes = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = cube_mean(volumes, radius)
    assert cube_mean(volumes.clone().requires_grad_(), radius).requires_grad
    monkeypatch.setattr("lungreg.registration.refinement.features.is_fused", lambda _: False)
    assert torch.equal(found, cube_mean(volumes, radius))
    padded = np.pad(volumes.double(), [(0, 0), (0, 0), *[(radius, radius)] * 3], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, [2 * radius + 1] * 3, (2, 3, 4))
    if min(shape[2:]) > radius:
        np.testing.assert_allclose(found, windows.mean(axis=(5, 6, 7)), atol=1e-6)


def test_pooling_takes_means_of_whole_blocks() -> None:
    """What does not fill a block is left out; one is the volume itself."""
    values = image(7, 6, 6)
    assert pooled(values, 1) is values
    assert pooled(values, 3).shape[2:] == (2, 2, 2)
    torch.testing.assert_close(pooled(values, 3)[0, 0, 1, 0, 1], values[0, 0, 3:6, :3, 3:6].mean())


def test_local_contrast_by_its_definition() -> None:
    """Difference from a mean with triangular weights over 9 voxels, in SDs that noise adds to."""
    values = 400 * image(12, 15, 10)
    weights = np.convolve(np.full(5, 0.2), np.full(5, 0.2))
    padded = values[0, 0].double().numpy()

    def mean(array: np.ndarray) -> np.ndarray:
        for axis in range(3):
            array = np.apply_along_axis(np.convolve, axis, array, weights, mode="valid")
        return array

    around = mean(padded)
    deviation = np.sqrt(mean(np.square(padded)) - np.square(around) + 50.0**2)
    wanted = (padded[4:-4, 4:-4, 4:-4] - around) / deviation
    found = local_contrast(values)[0, 0, 4:-4, 4:-4, 4:-4].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_breathing_leaves_local_contrast_alone() -> None:
    """Denser tissue, all differences in proportion, looks the same; a flat image has none."""
    values = 2000 * image(12, 12, 12)
    denser = local_contrast(0.8 * values + 300)
    torch.testing.assert_close(denser, local_contrast(values), atol=0.02, rtol=0)
    assert local_contrast(torch.full((1, 1, 9, 9, 9), -800.0)).abs().max() < 1e-2


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("shape", [(9, 8, 10), (1, 4, 12)])
def test_the_means_of_a_gpu_are_the_same(radius: int, shape: tuple[int, ...]) -> None:
    """By fewer operations, also where the cube is wider than the volume."""
    values = torch.cat([image(*shape), image(*shape) + 1.0])
    torch.testing.assert_close(_pooled_mean(values, radius), cube_mean(values, radius))


@pytest.mark.parametrize("at_once", [2, 5, 12])
def test_channels_at_once_are_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU computes them."""
    values = image(9, 8, 10)
    expected = self_similarity(values)
    monkeypatch.setattr("lungreg.registration.refinement.features.at_once", lambda *_: at_once)
    torch.testing.assert_close(self_similarity(values), expected)
