"""The working copy: what shows nothing, and the patient's size."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.lung_segmentation.chest import copy_chest, patient_size
from lungreg.registration.lung_segmentation.enclosed import enclosed_air
from lungreg.spatial.geometry import Grid
from tests.registration.lung_segmentation.phantom import make_phantom


def test_a_frame_is_blank_and_no_body() -> None:
    """Zeros from the sides inwards; the same value within the body is body."""
    hu, _, grid = make_phantom()
    hu[30:36, 25:30, 30] = 0.0
    frame = np.ones(hu.shape, dtype=bool)
    frame[3:-3, 3:-3] = False
    chest = copy_chest(np.where(frame, np.float32(0), hu), grid, 1.0)
    np.testing.assert_array_equal(chest.blank, frame)
    assert not (chest.tissue & frame).any()
    assert chest.tissue[33, 27, 30]


def test_clipped_noise_is_not_blank() -> None:
    """Half of the air around a patient may be one value, in thousands of pieces."""
    hu, _, grid = make_phantom()
    assert not copy_chest(np.maximum(hu, -1000), grid, 1.0).blank.any()


@pytest.mark.parametrize(("factor", "size"), [(1.2, 1.0), (1.0, 1.0), (0.5, 0.6), (0.3, 0.36)])
def test_size_follows_the_width_of_the_body(factor: float, size: float) -> None:
    """The phantom is 300 mm wide; an adult is 250 mm or more."""
    hu, _, grid = make_phantom()
    affine = grid.affine.copy()
    affine[:3] *= factor
    chest = copy_chest(hu, Grid(shape=grid.shape, affine=affine), 1.0)
    assert patient_size(chest, enclosed_air(chest)) == pytest.approx(size, abs=0.03)
