"""Growing and shrinking masks: SciPy's answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, binary_opening

from lungreg.spatial.neighbours import dilated, eroded, opened


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
