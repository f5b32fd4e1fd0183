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


def test_lungs_as_dark_as_gas_hold_vessels() -> None:
    """Bullae and badly calibrated scanners; gas with much noise, cut off at -1024 HU, is gas."""
    rng = np.random.default_rng(0)
    hu = np.full((50, 30, 54), 30.0, dtype=np.float32)
    for place in (RIGHT, LEFT):
        vessels = rng.random((12, 22, 1)) < 0.03
        hu[place] = np.where(vessels, -500, -995 + rng.normal(0, 30, (12, 22, 32)))
    hu[STOMACH] = np.maximum(-1000 + rng.normal(0, 100, hu[STOMACH].shape), -1024)
    right, left = right_and_left(chest_of(hu), hu < -320)
    assert right[RIGHT].all()
    assert left[LEFT].all()
    assert not (right | left)[STOMACH].any()


def test_gas_in_folds_of_the_bowel_is_no_lung() -> None:
    """An abdomen given by mistake: folds are as bright as vessels, but no bowel is so large."""
    hu = np.full((50, 30, 54), 30.0, dtype=np.float32)
    for place in (np.s_[30:40, 6:16, 4:36], np.s_[8:18, 6:16, 4:36]):
        hu[place] = -1000
        hu[place][:, :, ::4] = -450
    assert not right_and_left(chest_of(hu), hu < -320)


def test_the_smaller_lung_of_two_is_one_too() -> None:
    """In a scan of the apices, where one is just large enough to be told from noise."""
    hu = np.full((50, 30, 40), 30.0, dtype=np.float32)
    apices = np.s_[32:40, 8:18, 4:10], np.s_[10:18, 8:18, 4:9]
    for place in apices:
        hu[place] = -850
    right, left = right_and_left(chest_of(hu), hu < -320)
    assert right[apices[0]].all()
    assert left[apices[1]].all()
