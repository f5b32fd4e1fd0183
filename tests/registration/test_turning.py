"""By how much a transform turns the lungs, from closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lungreg.registration.turning import turned_over
from lungreg.spatial.geometry import affine_transform
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")


def turn(vector_deg: tuple[float, float, float], stretch: float = 1.0) -> str | None:
    """What is said of a turn, and of a stretch along the body after it."""
    pair = as_pair(simulated())
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(vector_deg, degrees=True).as_matrix()
    affine[2, :3] *= stretch
    affine[:3, 3] = 20.0, -30.0, 400.0
    return turned_over(pair, affine_transform(affine, pair.fixed.grid.resized((2, 2, 2))))


@pytest.mark.parametrize(
    ("vector_deg", "words"),
    [
        ((0, 0, 180), "180 degrees about the axis from head to foot"),
        ((0, 180, 0), "180 degrees about the axis from front to back"),
        ((-90, 5, 0), "90 degrees about the axis from left to right"),
        ((0, 0, 60), "60 degrees about the axis from head to foot"),
    ],
)
def test_a_turn_is_named(vector_deg: tuple[float, float, float], words: str) -> None:
    """By its angle and the axis of the body next to its own."""
    assert turn(vector_deg) == words


@pytest.mark.parametrize("vector_deg", [(0, 0, 0), (30, 0, 0), (0, -25, 35)])
def test_a_patient_who_lies_turned_is_no_wrong_header(vector_deg: tuple[float, float, float]):
    """Up to 50 degrees; a breath stretches, and turns nothing."""
    assert turn(vector_deg, stretch=1.3) is None


def test_a_mirror_is_no_turn() -> None:
    """Its sides are named elsewhere."""
    pair = as_pair(simulated())
    mirror = affine_transform(np.diag([1.0, -1.0, 1.0, 1.0]), pair.fixed.grid.resized((2, 2, 2)))
    assert turned_over(pair, mirror) is None


def test_nothing_is_said_without_lungs() -> None:
    """A scan of air alone."""
    pair = as_pair(simulated(), masks=False)
    fixed = replace(pair.fixed, data=np.full_like(pair.fixed.data, -1000))
    half = affine_transform(np.diag([-1.0, -1.0, 1.0, 1.0]), pair.fixed.grid.resized((2, 2, 2)))
    assert turned_over(pair, half) is not None
    assert turned_over(replace(pair, fixed=fixed), half) is None
