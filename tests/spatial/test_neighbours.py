"""Growing and shrinking masks: SciPy's answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    binary_opening,
    distance_transform_edt,
)

from lungreg.spatial.neighbours import dilated, eroded, opened, within


@pytest.mark.parametrize("shape", [(9, 7, 8), (1, 6, 5)])
@pytest.mark.parametrize("share", [0.02, 0.9])
def test_as_scipy(shape: tuple[int, int, int], share: float) -> None:
    """Up to the faces of the volume; the mask that is given stays as it is."""
    mask = np.random.default_rng(0).random(shape) < share
    before = mask.copy()
    np.testing.assert_array_equal(dilated(mask), binary_dilation(mask))
    np.testing.assert_array_equal(dilated(mask, times=3), binary_dilation(mask, iterations=3))
    np.testing.assert_array_equal(eroded(mask), binary_erosion(mask))
    np.testing.assert_array_equal(eroded(mask, beyond=True), binary_erosion(mask, border_value=1))
    np.testing.assert_array_equal(opened(mask), binary_opening(mask))
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("shape", [(9, 7, 8), (1, 6, 5), (30, 4, 17)])
@pytest.mark.parametrize("distance_mm", [0.5, 3.0, 8.0, 100.0])
def test_within_is_the_distance_transform(shape: tuple[int, int, int], distance_mm: float) -> None:
    """Also at just that distance, and farther than the volume is long."""
    mask = np.random.default_rng(1).random(shape) < 0.03
    mask.flat[0] = True
    spacing_mm = [1.0, 1.5, 4.0]
    expected = distance_transform_edt(~mask, sampling=spacing_mm) <= distance_mm
    np.testing.assert_array_equal(within(mask, distance_mm, spacing_mm), expected)
    assert not within(np.zeros(shape, dtype=bool), distance_mm, spacing_mm).any()
