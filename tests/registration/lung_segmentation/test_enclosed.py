"""Air inside the body, cut off or cut out."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.lung_segmentation.enclosed import enclosed_air
from tests.registration.lung_segmentation.phantom import chest_of

SHAPE = (30, 30, 10)
LUNG = (slice(10, 20), slice(10, 20), slice(2, 8))


def test_lung_in_a_body_in_a_room() -> None:
    """The air around is not enclosed; a lung that one side cuts open is."""
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    hu[5:25, 5:25] = 30.0
    hu[LUNG] = -850.0
    np.testing.assert_array_equal(enclosed_air(chest_of(hu)), hu == -850)
    cut = hu[12:]
    np.testing.assert_array_equal(enclosed_air(chest_of(cut)), cut == -850)


@pytest.mark.parametrize("lung_hu", [-850.0, -978.0])
def test_lung_without_a_body_around_it(lung_hu: float) -> None:
    """All but the lung is blank: nothing encloses it, and it is all there is."""
    hu = np.full(SHAPE, -1024.0, dtype=np.float32)
    hu[LUNG] = lung_hu
    blank = hu == -1024
    np.testing.assert_array_equal(enclosed_air(chest_of(hu, blank=blank)), ~blank)


@pytest.mark.parametrize(("air_hu", "taken"), [(-850.0, True), (-1000.0, False)])
def test_between_body_and_border(air_hu: float, taken: bool) -> None:
    """With a body only on two sides, lung is known by its density from the air of a room."""
    hu = np.full(SHAPE, 30.0, dtype=np.float32)
    hu[:20, :20] = air_hu
    assert enclosed_air(chest_of(hu)).any() == taken
