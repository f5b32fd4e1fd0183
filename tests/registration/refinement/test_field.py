"""The displacement while it is optimised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf

from lungreg.registration.refinement.descent import level_grid
from lungreg.registration.refinement.field import (
    as_transform,
    carry_over,
    control_grid,
    enlarge,
    roughness,
    smoothed,
)
from lungreg.spatial.geometry import Grid
from tests.grids import oblique_grid

pytestmark = pytest.mark.usefixtures("one_thread")


def nodes_of(function: str, size: int = 7) -> torch.Tensor:
    """(3, n, n, n) one formula of x, y, z in nodes for all components."""
    x, y, z = torch.meshgrid(*[torch.arange(size).double()] * 3, indexing="ij")
    value = {"linear": 2 * x - y + 3 * z, "bowl": x * x / 2, "saddle": x * y}[function]
    return value.expand(3, -1, -1, -1).contiguous()


class TestRoughness:
    def test_linear_motion_costs_nothing(self) -> None:
        """Lungs that only expand are smooth: what is left is the rounding of the norm."""
        assert roughness(nodes_of("linear"), 4.0, 0.01) == pytest.approx(0.01)

    @pytest.mark.parametrize(("function", "squares"), [("bowl", 1.0), ("saddle", 2.0)])
    def test_closed_form(self, function: str, squares: float) -> None:
        """Second derivatives of 1 in three components; the mixed ones count twice."""
        expected = np.sqrt(3 * squares / 4.0**2 + 0.03**2)
        assert roughness(nodes_of(function), 4.0, 0.03) == pytest.approx(expected)

    def test_large_bends_cost_their_size_not_its_square(self) -> None:
        """Ten times the bend costs ten times as much."""
        one, ten = (roughness(k * nodes_of("bowl"), 1.0, 0.01) for k in (1, 10))
        assert ten / one == pytest.approx(10, rel=1e-3)


class TestNodes:
    def test_enlarged_as_pytorch_does(self) -> None:
        """Linear between nodes, in a form that adds nothing up in an order of its own."""
        nodes = torch.randn(3, 4, 5, 3)
        shape = (7, 9, 5)
        expected = nnf.interpolate(nodes[None], size=shape, mode="trilinear", align_corners=True)
        torch.testing.assert_close(enlarge(nodes, 2, shape), expected[0])
        assert enlarge(nodes, 1, (4, 5, 3)) is nodes

    def test_smoothing_keeps_constants_and_thin_axes(self) -> None:
        """An axis of one node has no neighbours."""
        nodes = torch.full((3, 4, 1, 5), 2.5)
        torch.testing.assert_close(smoothed(nodes), nodes)

    def test_there_and_back_through_the_world(self) -> None:
        """Components along tilted axes become RAS and come back."""
        level = oblique_grid((9, 8, 7), spacing_mm=(3.0, 3.0, 3.0))
        nodes = control_grid(level, 2)
        assert nodes.shape == (5, 5, 4)
        np.testing.assert_allclose(nodes.spacing_mm, 6.0)
        field = torch.randn(3, *nodes.shape)
        transform = as_transform(field, nodes, np.eye(4))
        back = carry_over(transform, nodes, torch.device("cpu"))
        torch.testing.assert_close(back, field, atol=1e-5, rtol=0)

    def test_a_level_lies_over_its_blocks(self) -> None:
        """The centre of a coarse voxel is the mean of its block's centres."""
        grid = oblique_grid((8, 9, 10), spacing_mm=(2.0, 2.0, 2.0))
        coarse = level_grid(grid, 4)
        assert coarse.shape == (2, 2, 2)
        middle = grid.to_world(np.array([[1.5, 1.5, 1.5]]))
        np.testing.assert_allclose(coarse.to_world(np.zeros((1, 3))), middle)


def test_a_grid_needs_no_more_nodes_than_it_has_voxels() -> None:
    """One node per voxel is the grid itself."""
    grid = Grid(shape=(4, 5, 6), affine=np.eye(4))
    assert control_grid(grid, 1).same_as(grid)
