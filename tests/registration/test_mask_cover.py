"""Masks that leave out a part of the lungs, on a simulated pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.registration.mask_cover import mask_cover
from lungreg.registration.pair import Pair
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")


def masked(share: float) -> Pair:
    """A pair whose fixed mask holds the upper part of the lungs alone, so much of their voxels."""
    pair = as_pair(simulated())
    mask = np.asarray(pair.fixed_mask)
    below = np.cumsum((mask > 0).sum(axis=(0, 1))) / (mask > 0).sum() < 1 - share
    return replace(pair, fixed_mask=np.where(below, 0, mask))


@pytest.mark.parametrize("share", [1.0, 0.6, 0.25])
def test_the_share_of_the_lungs_in_the_mask_is_found(share: float) -> None:
    """Of the scan whose mask holds less."""
    assert mask_cover(masked(share)) == pytest.approx(share, abs=0.1)


def test_without_masks_there_is_nothing_to_say() -> None:
    """Lungs found by threshold are all that the scan shows."""
    assert mask_cover(as_pair(simulated(), masks=False)) is None
