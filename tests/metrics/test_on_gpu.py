"""Measures by the operations that serve GPUs, here on a CPU: the same figures as without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lungreg.metrics import residual_difference, ssim
from tests.metrics.shapes import SHAPE, ball, oblique_grid

CPU = torch.device("cpu")


@pytest.fixture
def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a measure that is given a device take the way of a GPU."""
    monkeypatch.setattr("lungreg.metrics.intensity.on_gpu", lambda device: device is not None)


@pytest.fixture
def images(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two images that are half alike."""
    one, other = (gaussian_filter(rng.random(SHAPE), 0.8) for _ in range(2))
    return one.astype(np.float32), ((one + other) / 2).astype(np.float32)


@pytest.mark.usefixtures("as_on_gpu")
class TestAsOnGpu:
    @pytest.mark.parametrize("centre", [(9, 9, 11), (3, 3, 21)])
    def test_ssim(
        self, images: tuple[np.ndarray, np.ndarray], centre: tuple[float, float, float]
    ) -> None:
        """Within the volume, and at its edges."""
        mask = ball(centre, 6)
        expected = ssim(*images, mask)
        assert 0.2 < expected < 0.98
        assert ssim(*images, mask, device=CPU) == pytest.approx(expected, abs=1e-5)

    def test_residual_difference(self, images: tuple[np.ndarray, np.ndarray]) -> None:
        """Boxes and widths that differ along the axes."""
        mask = ball((9, 9, 11), 8)
        expected = residual_difference(*images, mask, oblique_grid())
        assert expected is not None
        assert 0.1 < expected < 1.3
        found = residual_difference(*images, mask, oblique_grid(), device=CPU)
        assert found == pytest.approx(expected, rel=1e-4)

    def test_nothing_to_differ_in(self) -> None:
        """Of two constant images there is none."""
        flat = np.full(SHAPE, 0.3, dtype=np.float32)
        assert residual_difference(flat, flat, ball((9, 9, 11), 8), oblique_grid()) is None
