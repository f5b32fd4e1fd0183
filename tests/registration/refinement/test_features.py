"""Self-similarity: what it says, and what it does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lungreg.registration.refinement.features import CHANNELS, pooled, self_similarity

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


def test_pooling_takes_means_of_whole_blocks() -> None:
    """What does not fill a block is left out; one is the volume itself."""
    values = image(7, 6, 6)
    assert pooled(values, 1) is values
    assert pooled(values, 3).shape[2:] == (2, 2, 2)
    torch.testing.assert_close(pooled(values, 3)[0, 0, 1, 0, 1], values[0, 0, 3:6, :3, 3:6].mean())
