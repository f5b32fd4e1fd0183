"""Stationary velocities, against the exponential of a matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from lungreg.spatial.velocity import integrate_velocity
from tests.grids import oblique_grid, voxels

GRID = oblique_grid((30, 28, 26), spacing_mm=(2.0, 3.0, 2.5), centre_ras=(5.0, -8.0, 20.0))
CENTRE = GRID.centre_ras


@pytest.mark.parametrize("size", [0.0, 0.05, 0.4])
def test_a_linear_velocity_is_integrated_as_its_matrix(size: float) -> None:
    """`v(x) = M (x - c) + b` flows along `exp` of its (4, 4) matrix."""
    matrix = np.zeros((4, 4))
    matrix[:3, :3] = size * np.array([[0.5, -1.0, 0.2], [1.0, -0.4, 0.0], [0.1, 0.3, 0.6]])
    matrix[:3, 3] = size * np.array([4.0, -2.0, 3.0])
    places = GRID.to_world(voxels(GRID)) - CENTRE
    velocity = (places @ matrix[:3, :3].T + matrix[:3, 3]).T.reshape(3, *GRID.shape)
    found = integrate_velocity(velocity.astype(np.float32), GRID)
    flow = expm(matrix)
    expected = (places @ flow[:3, :3].T + flow[:3, 3] - places).T.reshape(3, *GRID.shape)
    inner = (slice(None), *[slice(n // 3, -(n // 3)) for n in GRID.shape])
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-3 * size + 1e-6)
