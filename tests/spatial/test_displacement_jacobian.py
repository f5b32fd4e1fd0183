"""The Jacobian determinant of a displacement field, against NumPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.spatial import displacement
from lungreg.spatial.displacement import jacobian_determinant
from lungreg.spatial.geometry import Grid
from tests.grids import oblique_grid, voxels
from tests.spatial.fields import FIXED, MOVING, smooth_field, some_affine

pytestmark = pytest.mark.usefixtures("one_thread")


class TestJacobian:
    def test_affine_alone(self) -> None:
        """Without a displacement the determinant is the affine's, everywhere."""
        zero = np.zeros((3, *FIXED.shape), dtype=np.float32)
        found = jacobian_determinant(some_affine(), zero, FIXED)
        np.testing.assert_allclose(found, np.linalg.det(some_affine()[:3, :3]), rtol=1e-5)

    @pytest.mark.parametrize("grid", [FIXED, MOVING], ids=["fixed", "moving"])
    def test_linear_field(self, grid: Grid) -> None:
        """Of u = Mx the determinant is that of A (1 + M), faces included."""
        slope = np.array([[0.1, -0.2, 0.05], [0.0, 0.3, -0.1], [0.2, 0.1, -0.15]])
        field = (grid.to_world(voxels(grid)) - grid.centre_ras) @ slope.T
        dense = field.T.reshape(3, *grid.shape).astype(np.float32)
        found = jacobian_determinant(some_affine(), dense, grid)
        expected = np.linalg.det(some_affine()[:3, :3]) * np.linalg.det(np.eye(3) + slope)
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_equals_numpy_gradient(self) -> None:
        """Central differences inside, one-sided ones at the faces, through an oblique affine."""
        dense = smooth_field(FIXED, size_mm=9.0)
        by_index = np.stack([np.stack(np.gradient(u), axis=-1) for u in dense], axis=-2)
        by_mm = by_index @ np.linalg.inv(FIXED.affine[:3, :3])
        expected = np.linalg.det(np.eye(3) + by_mm)
        found = jacobian_determinant(np.eye(4), dense, FIXED)
        assert np.ptp(expected) > 0.5
        np.testing.assert_allclose(found, expected, atol=2e-5)

    def test_fold_is_found_where_it_is(self) -> None:
        """A field that turns one plane of tissue round is negative there and nowhere else."""
        grid = oblique_grid((12, 10, 8))
        dense = np.zeros((3, *grid.shape), dtype=np.float32)
        step_mm = grid.affine[:3, 0].astype(np.float32)
        # Plane 6 moves back by 2.5 planes: across it the map runs backwards.
        dense[:, 6:] = -2.5 * step_mm[:, None, None, None]
        found = jacobian_determinant(np.eye(4), dense, grid)
        planes = np.unique(np.nonzero(found <= 0)[0])
        np.testing.assert_array_equal(planes, [5, 6])
        np.testing.assert_allclose(found[5:7], 1 - 2.5 / 2, atol=1e-4)
        np.testing.assert_allclose(found[:5], 1.0, atol=1e-4)

    def test_one_plane(self) -> None:
        """Along an axis of one voxel nothing changes."""
        grid = oblique_grid((1, 6, 5))
        dense = np.random.default_rng(0).normal(size=(3, *grid.shape)).astype(np.float32)
        assert np.isfinite(jacobian_determinant(np.eye(4), dense, grid)).all()

    def test_slabs_make_no_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Differences reach over the cut between two slabs."""
        dense = smooth_field(FIXED)
        whole = jacobian_determinant(some_affine(), dense, FIXED)
        monkeypatch.setattr(displacement, "SLAB_VOXELS", 1)
        np.testing.assert_array_equal(jacobian_determinant(some_affine(), dense, FIXED), whole)
