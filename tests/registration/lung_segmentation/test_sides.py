"""Pieces of air that are lungs, and their sides."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.lung_segmentation.sides import right_and_left
from tests.registration.lung_segmentation.phantom import chest_of

RIGHT, LEFT = np.s_[30:42, 4:26, 4:36], np.s_[8:20, 4:26, 4:36]
STOMACH = np.s_[8:20, 8:22, 40:50]


@pytest.mark.parametrize(
    ("right_hu", "left_hu", "gas_hu"),
    [(-850, -850, -1000), (-975, -975, -1000), (-975, -850, -1000), (-850, -850, -975)],
)
def test_emphysema_is_lung_and_gas_is_not(right_hu: int, left_hu: int, gas_hu: int) -> None:
    """A lung may be as thin as gas seems in a small stomach."""
    hu = np.full((50, 30, 54), 30.0, dtype=np.float32)
    hu[RIGHT], hu[LEFT], hu[STOMACH] = right_hu, left_hu, gas_hu
    right, left = right_and_left(chest_of(hu), hu < -320)
    for found, place in ((right, RIGHT), (left, LEFT)):
        expected = np.zeros(hu.shape, dtype=bool)
        expected[place] = True
        np.testing.assert_array_equal(found, expected)


def test_a_chest_full_of_gas_is_no_lung() -> None:
    """A pneumothorax of a whole side beside a lung."""
    hu = np.full((50, 30, 40), 30.0, dtype=np.float32)
    hu[RIGHT], hu[LEFT] = -850, -1000
    (lung,) = right_and_left(chest_of(hu), hu < -320)
    np.testing.assert_array_equal(lung, hu == -850)
