"""Separable filters against SciPy's, to the bit, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d, gaussian_filter

from lungreg.spatial.filters import gaussian, gaussian_kernel, smoothed

IMAGE = np.random.default_rng(0).normal(size=(4, 17, 9)).astype(np.float32)


@pytest.fixture(params=["compiled", "scipy"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With numba, and as where it is missing."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr("lungreg.spatial.threads.has_numba", lambda: False)


def test_gaussian_is_that_of_scipy() -> None:
    """Along each axis its own width, wider than the volume or none."""
    sigma = np.array([2.5, 0.0, 0.7])
    expected = gaussian_filter(IMAGE, sigma, mode="nearest", truncate=3.0)
    np.testing.assert_array_equal(gaussian(IMAGE, sigma, truncate=3.0), expected)


def test_a_mirrored_volume() -> None:
    """The last voxel is not repeated, also where the kernel is longer than the volume."""
    half = gaussian_kernel(1.5, 5)
    expected = IMAGE
    for axis in range(3):
        whole = np.concatenate([half[:0:-1], half])
        expected = correlate1d(expected, whole, axis=axis, mode="mirror")
    np.testing.assert_array_equal(smoothed(IMAGE, [half] * 3, beyond="mirror"), expected)
    one = smoothed(IMAGE[:1], [half, None, None], beyond="mirror")
    np.testing.assert_allclose(one, IMAGE[:1], rtol=1e-6)
