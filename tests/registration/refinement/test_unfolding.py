"""No fold inside the lungs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lungreg.registration.refinement.unfolding import unfold
from lungreg.spatial.displacement import dense_displacement, jacobian_determinant
from lungreg.spatial.geometry import Transform
from tests.grids import oblique_grid

pytestmark = pytest.mark.usefixtures("one_thread")

FIXED = oblique_grid((30, 28, 26), spacing_mm=(2.0, 2.5, 3.0))
NODES = oblique_grid((16, 18, 20), spacing_mm=(4.0, 4.0, 4.0))
CPU = torch.device("cpu")


def transform(size_mm: float) -> Transform:
    """Random motion of so many mm at each node; beyond a node's spacing it folds."""
    field = np.random.default_rng(0).normal(0, size_mm, (3, *NODES.shape)).astype(np.float32)
    return Transform(affine=np.diag([1.0, 1.0, 1.1, 1.0]), displacement_mm=field, grid=NODES)


def lungs() -> np.ndarray:
    """A ball in the middle."""
    x, y, z = np.ogrid[:30, :28, :26]
    return np.asarray((x - 15) ** 2 + (y - 14) ** 2 + (z - 13) ** 2 < 64)


def determinants(found: Transform) -> np.ndarray:
    """On the fixed scan's own grid, as they are reported."""
    dense = dense_displacement(found, FIXED)
    return jacobian_determinant(found.affine, dense, FIXED)[lungs()]


@pytest.mark.parametrize("size_mm", [2.0, 6.0, 30.0])
def test_what_folds_is_unfolded(size_mm: float) -> None:
    """However bad it is."""
    found = unfold(transform(size_mm), FIXED, lungs(), device=CPU)
    assert determinants(transform(size_mm)).min() < 0
    assert determinants(found).min() > 0


def test_what_does_not_fold_is_left_alone() -> None:
    """To the bit."""
    given = transform(0.05)
    found = unfold(given, FIXED, lungs(), device=CPU)
    np.testing.assert_array_equal(found.displacement_mm, given.displacement_mm)


def test_only_the_neighbourhood_of_a_fold_changes() -> None:
    """The rest of the registration is as good as it was."""
    field = np.zeros((3, *NODES.shape), dtype=np.float32)
    field[0, 8, 9, 10] = 20.0
    field[:, 0, 0, 0] = 1.0
    given = Transform(affine=np.eye(4), displacement_mm=field, grid=NODES)
    found = unfold(given, FIXED, lungs(), device=CPU)
    assert determinants(given).min() < 0 < determinants(found).min()
    assert found.displacement_mm[0, 0, 0, 0] == 1.0
