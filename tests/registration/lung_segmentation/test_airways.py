"""Trachea and main bronchi."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.lung_segmentation.airways import find_airways
from tests.registration.lung_segmentation.phantom import chest_of


@pytest.mark.parametrize("exact", [True, False])
def test_a_dark_tube_in_the_middle(exact: bool) -> None:
    """Not lung beside it; and none where densities are a guess."""
    hu = np.full((40, 30, 20), 30.0, dtype=np.float32)
    hu[5:14, 8:22] = -850.0
    hu[19:22, 14:17, 6:] = -990.0
    found = find_airways(chest_of(hu, exact=exact), hu < -320)
    tube = hu == -990
    assert (found & tube).sum() == (tube.sum() if exact else 0)
    assert not (found & (hu == -850)).any()
