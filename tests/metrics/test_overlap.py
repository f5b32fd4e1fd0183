"""Dice and surface distance of masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance

from lungreg.errors import DataError
from lungreg.metrics import dice, hd95_mm
from tests.metrics.shapes import SHAPE, SPACING_MM, ball, block, oblique_grid


class TestDice:
    def test_closed_form(self) -> None:
        """Two boxes of 10 voxels that share 5 have a Dice of one half."""
        fixed = block(slice(0, 10), slice(3, 4), slice(3, 4))
        moving = block(slice(5, 15), slice(3, 4), slice(3, 4))
        assert dice(fixed, moving) == 0.5

    def test_one_empty(self) -> None:
        """A mask that did not arrive has a Dice of 0, not an error."""
        assert dice(ball((9, 9, 9), 4), np.zeros(SHAPE, dtype=bool)) == 0.0

    def test_both_empty(self) -> None:
        """Two empty masks are refused: 0 / 0 is neither good nor bad."""
        empty = np.zeros(SHAPE, dtype=bool)
        with pytest.raises(DataError, match="two empty masks"):
            dice(empty, empty)

    def test_shapes_differ(self) -> None:
        """Masks of different grids are refused."""
        with pytest.raises(DataError, match=r"one shape .* got \(20, 22, 24\) and \(2, 22, 24\)"):
            dice(ball((9, 9, 9), 4), np.ones((2, 22, 24), dtype=bool))


class TestHd95:
    @pytest.mark.parametrize(("axis", "step"), [(0, 3), (1, 2), (2, 4)])
    def test_slab_shift(self, axis: int, step: int) -> None:
        """Two parallel plates are as far apart as their shift in mm, on an oblique grid too."""
        planes = [[slice(None)] * 3, [slice(None)] * 3]
        planes[0][axis], planes[1][axis] = slice(5, 6), slice(5 + step, 6 + step)
        value = hd95_mm(block(*planes[0]), block(*planes[1]), oblique_grid())
        assert value == pytest.approx(step * SPACING_MM[axis], rel=1e-9)

    @pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
    @pytest.mark.parametrize("centre", [(11, 10, 13), (9.5, 14, 12), (3, 3, 21)])
    def test_equals_monai(self, centre: tuple[float, float, float]) -> None:
        """The distance is MONAI's, also where a mask is cut by the volume's border."""
        fixed, moving = ball((9, 9, 11), 6), ball(centre, 5)
        oracle = compute_hausdorff_distance(
            torch.from_numpy(moving)[None, None].float(),
            torch.from_numpy(fixed)[None, None].float(),
            include_background=True,
            percentile=95,
            spacing=SPACING_MM,
        )
        value = hd95_mm(fixed, moving, oblique_grid())
        assert value == pytest.approx(oracle.item(), rel=1e-5)

    def test_symmetric(self) -> None:
        """Which mask comes first makes no difference."""
        fixed, moving, grid = ball((9, 9, 9), 6), ball((11, 12, 14), 3), oblique_grid()
        assert hd95_mm(fixed, moving, grid) == hd95_mm(moving, fixed, grid)

    def test_identical(self) -> None:
        """A mask has no distance to itself."""
        assert hd95_mm(ball((9, 9, 9), 6), ball((9, 9, 9), 6), oblique_grid()) == 0.0

    def test_empty(self) -> None:
        """An empty moving mask leaves the distance undefined; an empty fixed one is an error."""
        fixed, empty = ball((9, 9, 9), 6), np.zeros(SHAPE, dtype=bool)
        assert hd95_mm(fixed, empty, oblique_grid()) is None
        with pytest.raises(DataError, match="at least one voxel"):
            hd95_mm(empty, fixed, oblique_grid())
