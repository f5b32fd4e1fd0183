"""A transform that was read in another way than it was written is told from a bad one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lungreg.registration.other_readings import better_reading
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import Frame, Transform
from lungreg.spatial.inversion import invert
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def pair() -> Pair:
    return as_pair(simulated(40.0))


@cache
def truth() -> Transform:
    made = simulated(40.0)
    return Transform(affine=np.eye(4), displacement_mm=made.displacement_mm, grid=made.fixed_grid)


def changed(factors: np.ndarray) -> Transform:
    """The truth with each vector times a matrix (3, 3)."""
    vectors = np.einsum("kl,lxyz->kxyz", factors, truth().displacement_mm)
    return replace(truth(), displacement_mm=vectors.astype(np.float32))


def test_nothing_is_said_of_the_truth() -> None:
    """Nor of no motion at all."""
    assert better_reading(pair(), truth(), frame=Frame.LPS) is None
    assert better_reading(pair(), changed(np.zeros((3, 3))), frame=Frame.LPS) is None


@pytest.mark.parametrize(("read_in", "meant"), [(Frame.LPS, "ras"), (Frame.RAS, "lps")])
def test_vectors_of_the_other_frame(read_in: Frame, meant: str) -> None:
    """The first two components have the other sign; the option to give is named."""
    text = better_reading(pair(), changed(np.diag([-1.0, -1.0, 1.0])), frame=read_in)
    assert text is not None
    assert f"in the other frame (--field-frame {meant})" in text


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1)])
def test_vectors_in_voxels(signs: tuple[int, int, int]) -> None:
    """Along the axes of the grid, whatever frame they were taken for."""
    to_voxels = np.diag(np.array(signs, float)) @ np.linalg.inv(truth().grid.affine[:3, :3])
    text = better_reading(pair(), changed(to_voxels), frame=Frame.LPS)
    assert text is not None
    assert "in voxels of its grid" in text


def test_the_way_back() -> None:
    """Also of a transform that is no field."""
    made = simulated(40.0)
    back = invert(truth(), made.moving_grid).transform
    text = better_reading(pair(), back, frame=None)
    assert text is not None
    assert "as the way back" in text
    assert "correlation inside the lungs 0." in text
