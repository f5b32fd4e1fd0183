"""Folds, spread and growth from the Jacobian."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.metrics import jacobian_summary, lung_volume_ml, sdlogj_learn2reg, volume_ratio
from lungreg.spatial.displacement import jacobian_determinant
from lungreg.spatial.geometry import Grid
from tests.metrics.shapes import SHAPE, ball, block, oblique_grid


class TestJacobianSummary:
    def test_closed_form(self) -> None:
        """Half the lung shrunk to a half and half doubled has an sdlogj of log 2."""
        jacobian = np.full(SHAPE, -5.0)
        mask = block(slice(0, 10), slice(0, 4), slice(0, 4))
        jacobian[:5][mask[:5]], jacobian[5:][mask[5:]] = 0.5, 2.0
        summary = jacobian_summary(jacobian, mask)
        assert summary.fold_pct == 0.0
        assert (summary.minimum, summary.maximum) == (0.5, 2.0)
        assert summary.sdlogj == pytest.approx(np.log(2.0))

    def test_folds(self) -> None:
        """Negative, zero and undefined determinants are folds, and stay out of sdlogj."""
        jacobian = np.ones(SHAPE)
        mask = block(slice(0, 10), slice(0, 1), slice(0, 1))
        jacobian[:3, 0, 0] = (-1.0, 0.0, np.nan)
        summary = jacobian_summary(jacobian, mask)
        assert summary.fold_pct == pytest.approx(30.0)
        assert summary.sdlogj == 0.0

    def test_tiny_determinant_is_clipped(self) -> None:
        """A determinant that just does not fold counts as 1e-9, so that sdlogj stays finite."""
        jacobian = np.ones(SHAPE)
        mask = block(slice(0, 2), slice(0, 1), slice(0, 1))
        jacobian[0, 0, 0] = 1e-300
        assert jacobian_summary(jacobian, mask).sdlogj == pytest.approx(-np.log(1e-9) / 2)

    def test_all_folded(self) -> None:
        """Where everything folds there is no logarithm to speak of."""
        summary = jacobian_summary(np.full(SHAPE, -1.0), ball((9, 9, 9), 6))
        assert summary.fold_pct == 100.0
        assert summary.sdlogj is None

    def test_empty(self) -> None:
        """An empty mask is refused."""
        with pytest.raises(DataError, match="at least one voxel"):
            jacobian_summary(np.ones(SHAPE), np.zeros(SHAPE, dtype=bool))


def official_sdlogj(displacement_vox: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """What Learn2Reg's script does, written anew: slopes, determinant, 3 more, clip, logarithm."""
    slopes = np.stack([np.stack(np.gradient(part)) for part in displacement_vox])
    matrices = np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3)
    inner = (slice(2, -2),) * 3
    determinants = np.linalg.det(matrices[inner]) + 3
    return float(np.log(determinants.clip(1e-9, 1e9))[mask[inner]].std())


class TestSdlogjLearn2Reg:
    def test_closed_form(self) -> None:
        """Half the lung at J = 1 and half at J = 2 give half of log(5 / 4), not of log 2."""
        jacobian, grid = np.ones(SHAPE), oblique_grid()
        mask = block(slice(4, 12), slice(4, 8), slice(4, 8))
        jacobian[8:] = 2.0
        found = sdlogj_learn2reg(jacobian, mask, fixed=grid, moving=grid)
        assert found == pytest.approx(np.log(5 / 4) / 2)
        assert jacobian_summary(jacobian, mask).sdlogj == pytest.approx(np.log(2) / 2)

    @pytest.mark.parametrize("turned", [False, True])
    def test_equals_the_script_on_a_field_in_voxels(
        self, rng: np.random.Generator, *, turned: bool
    ) -> None:
        """From the world's Jacobian, on grids that differ in spacing and even in handedness."""
        fixed = oblique_grid()
        flip = np.diag([1.0, 2.0, -0.5 if turned else 0.5, 1.0])
        moving = Grid(shape=SHAPE, affine=fixed.affine @ flip)
        mask = ball((10, 11, 12), 9)
        u_mm = rng.normal(0, 0.3, (3, *SHAPE)).astype(np.float32)
        world = jacobian_determinant(np.eye(4), u_mm, fixed)
        index = np.indices(SHAPE).reshape(3, -1).T.astype(float)
        landed = moving.to_voxel(fixed.to_world(index) + u_mm.reshape(3, -1).T)
        vox = (landed - index).T.reshape(3, *SHAPE)
        found = sdlogj_learn2reg(world, mask, fixed=fixed, moving=moving)
        assert found == pytest.approx(official_sdlogj(vox, mask), rel=1e-4)

    def test_folds_hide_in_it(self) -> None:
        """A determinant of -2 everywhere is as quiet as none: 0, where every voxel folds."""
        jacobian, mask, grid = np.full(SHAPE, -2.0), ball((10, 11, 12), 6), oblique_grid()
        assert sdlogj_learn2reg(jacobian, mask, fixed=grid, moving=grid) == 0.0
        assert jacobian_summary(jacobian, mask).fold_pct == 100.0

    def test_the_rim_does_not_count(self) -> None:
        """The two outer voxels of each side are left out; where no other is, there is no figure."""
        jacobian, grid = np.ones(SHAPE), oblique_grid()
        jacobian[:2], jacobian[:, -2:] = 9.0, 9.0
        everywhere = np.ones(SHAPE, dtype=bool)
        assert sdlogj_learn2reg(jacobian, everywhere, fixed=grid, moving=grid) == 0.0
        rim = block(slice(0, 2), slice(None), slice(None))
        assert sdlogj_learn2reg(jacobian, rim, fixed=grid, moving=grid) is None

    def test_shapes_differ(self) -> None:
        """A mask of another grid is refused."""
        grid = oblique_grid()
        with pytest.raises(DataError, match="one shape"):
            sdlogj_learn2reg(np.ones((3, 3, 3)), ball((9, 9, 9), 4), fixed=grid, moving=grid)


class TestVolumes:
    def test_a_box_in_ml(self) -> None:
        """1000 voxels of 1 x 1.5 x 2.5 mm are 3.75 ml, on a turned grid too."""
        mask = block(slice(0, 10), slice(0, 10), slice(0, 10))
        assert lung_volume_ml(mask, oblique_grid()) == pytest.approx(3.75)
        assert lung_volume_ml(np.zeros(SHAPE, dtype=bool), oblique_grid()) == 0.0

    def test_the_integral_of_the_jacobian_is_the_volume_arrived_at(self) -> None:
        """A linear breath enlarges any region by its determinant, and so does the mean over it."""
        grid, mask = oblique_grid(), ball((9, 9, 11), 6)
        breath = np.array([[1.1, 0.05, 0.0], [0.0, 1.0, 0.1], [0.02, 0.0, 1.3]])
        points = grid.to_world(np.indices(SHAPE).reshape(3, -1).T.astype(float))
        u_mm = (points @ (breath - np.eye(3)).T).T.reshape(3, *SHAPE).astype(np.float32)
        ratio = volume_ratio(jacobian_determinant(np.eye(4), u_mm, grid), mask)
        assert ratio == pytest.approx(np.linalg.det(breath), rel=1e-4)

    def test_a_growing_ball(self) -> None:
        """A ball that swells by 1 + r^2 / 200 everywhere fills the mask it grows to, within 2 %."""
        grid = Grid(shape=(32, 32, 32), affine=np.diag([1.0, 1.0, 1.0, 1.0]))
        offset = np.indices(grid.shape) - 15.5
        square = (offset**2).sum(axis=0)
        u_mm = (offset * square / 200).astype(np.float32)
        mask = square < 8**2
        grown = (8 * (1 + 64 / 200)) ** 3 / 8**3
        ratio = volume_ratio(jacobian_determinant(np.eye(4), u_mm, grid), mask)
        assert ratio == pytest.approx(grown, rel=0.03)

    def test_only_the_mask_counts(self) -> None:
        """The mean is over the lungs; what is no number adds nothing."""
        jacobian = np.full(SHAPE, 100.0)
        mask = block(slice(0, 4), slice(0, 1), slice(0, 1))
        jacobian[:4, 0, 0] = (1.0, 2.0, 3.0, np.nan)
        assert volume_ratio(jacobian, mask) == pytest.approx(1.5)
        with pytest.raises(DataError, match="at least one voxel"):
            volume_ratio(jacobian, np.zeros(SHAPE, dtype=bool))
