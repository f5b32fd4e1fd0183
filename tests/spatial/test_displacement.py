"""Displacement fields against MONAI, ITK and closed forms: sampling, warping, points, totals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from monai.networks.blocks import Warp

from lungreg.spatial import displacement
from lungreg.spatial.displacement import (
    dense_displacement,
    index_grid,
    sample,
    to_mm,
    transform_points,
    warp,
)
from lungreg.spatial.geometry import Transform, apply_affine, flip_lps
from lungreg.spatial.total_displacement import (
    total_displacement_mm,
    voxel_displacement,
    without_affine,
)
from tests.grids import voxels
from tests.spatial.fields import (
    FIELD,
    FIXED,
    MOVING,
    itk_transform,
    smooth_field,
    some_affine,
    some_transform,
)

pytestmark = pytest.mark.usefixtures("one_thread")


class TestSample:
    @pytest.mark.parametrize("mode", ["linear", "nearest"])
    def test_integer_points_give_the_voxels(self, mode: displacement.Interpolation) -> None:
        """At voxel centres there is nothing to interpolate."""
        volume = torch.rand(2, 3, 5, 6, 7, dtype=torch.float64)
        points = index_grid((5, 6, 7), device=torch.device("cpu")).double()
        found = sample(volume, points.expand(2, -1, -1, -1, -1), mode=mode)
        torch.testing.assert_close(found, volume)

    def test_constant_beyond_the_outer_centres(self) -> None:
        """Far outside lies the value of the nearest face, edge or corner."""
        volume = torch.rand(1, 1, 4, 5, 6)
        points = torch.tensor([[-9.0, 2.0, 3.0], [3.5, 9.0, 0.0], [99.0, 99.0, 99.0]])
        found = sample(volume, points.T[None])[0, 0]
        expected = [volume[0, 0, 0, 2, 3], volume[0, 0, 3, 4, 0], volume[0, 0, 3, 4, 5]]
        torch.testing.assert_close(found, torch.stack(expected))

    def test_linear_between_voxels(self) -> None:
        """A linear function is met exactly, also along an axis of one voxel."""
        volume = index_grid((4, 5, 1), device=torch.device("cpu")).sum(dim=0)[None, None]
        points = torch.tensor([[0.25, 3.5, 0.0], [2.75, 0.125, 0.0]])
        torch.testing.assert_close(sample(volume, points.T[None])[0, 0], points.sum(dim=1))

    def test_slab_is_part_of_the_whole(self) -> None:
        """An index grid in two slabs is the index grid."""
        cpu = torch.device("cpu")
        parts = [index_grid((5, 3, 4), device=cpu, start=a, stop=b) for a, b in ((0, 2), (2, 5))]
        assert torch.equal(torch.cat(parts, dim=1), index_grid((5, 3, 4), device=cpu))


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_warp_equals_monai(mode: displacement.Interpolation) -> None:
    """MONAI's Warp with border padding gives the same image, beyond the border too."""
    torch.manual_seed(0)
    image = torch.rand(2, 1, 9, 12, 10)
    field = 4 * torch.randn(2, 3, 9, 12, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monai = Warp(mode="bilinear" if mode == "linear" else "nearest", padding_mode="border")
        expected = monai(image, field)
    torch.testing.assert_close(warp(image, field, mode=mode), expected, atol=1e-5, rtol=0)


def test_voxels_become_mm_along_oblique_axes() -> None:
    """A step of one voxel is a step to the neighbour's place in the world."""
    steps = torch.eye(3)[:, :, None, None, None].expand(3, 3, 2, 2, 2)
    found = to_mm(steps, FIXED)[:, :, 0, 0, 0].numpy()
    origin = FIXED.to_world(np.zeros((1, 3)))
    np.testing.assert_allclose(found, FIXED.to_world(np.eye(3)) - origin, atol=1e-6)


class TestDenseDisplacement:
    def test_linear_field_is_exact(self) -> None:
        """Between the nodes of a coarse grid a linear field stays what it is."""
        slope = np.array([[0.02, -0.01, 0.03], [0.0, 0.05, -0.02], [0.01, 0.02, -0.04]])
        coarse = (FIELD.to_world(voxels(FIELD)) - FIELD.centre_ras) @ slope.T
        transform = Transform(
            affine=np.eye(4),
            displacement_mm=coarse.T.reshape(3, *FIELD.shape).astype(np.float32),
            grid=FIELD,
        )
        found = dense_displacement(transform, FIXED).reshape(3, -1).T
        points = FIXED.to_world(voxels(FIXED))
        # Beyond the outer nodes the field goes on as it was there.
        low, high = np.zeros(3), np.array(FIELD.shape) - 1.0
        clamped = FIELD.to_world(np.clip(FIELD.to_voxel(points), low, high))
        np.testing.assert_allclose(found, (clamped - FIELD.centre_ras) @ slope.T, atol=1e-5)

    def test_own_grid_is_left_alone(self) -> None:
        """On the grid it is given on, a field is itself."""
        transform = some_transform()
        found = dense_displacement(transform, FIELD)
        np.testing.assert_array_equal(found, transform.displacement_mm)

    def test_slabs_make_no_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One plane at a time gives the same as all at once."""
        whole = dense_displacement(some_transform(), FIXED)
        monkeypatch.setattr(displacement, "SLAB_VOXELS", 1)
        np.testing.assert_array_equal(dense_displacement(some_transform(), FIXED), whole)


class TestPoints:
    def test_equal_the_dense_field(self) -> None:
        """At the fixed scan's voxels a point goes where the voxel goes."""
        transform = some_transform()
        points = FIXED.to_world(voxels(FIXED))
        dense = dense_displacement(transform, FIXED).reshape(3, -1).T
        expected = apply_affine(transform.affine, points + dense)
        np.testing.assert_allclose(transform_points(transform, points), expected, atol=1e-3)

    def test_equal_simpleitk(self) -> None:
        """Between the nodes ITK carries a point to the same place, to a thousandth of a mm."""
        transform = some_transform()
        itk = itk_transform(transform)
        inside = np.random.default_rng(0).uniform(0, np.array(FIELD.shape) - 1, size=(50, 3))
        points = FIELD.to_world(inside)
        expected = np.array([itk.TransformPoint(p.tolist()) for p in flip_lps(points)])
        np.testing.assert_allclose(
            transform_points(transform, points), flip_lps(expected), atol=1e-3
        )

    def test_order_of_field_and_affine(self) -> None:
        """The displacement comes first, in the fixed world, then the affine."""
        field = np.zeros((3, *FIELD.shape), dtype=np.float32)
        field[0] = 5.0
        affine = np.diag([2.0, 1.0, 1.0, 1.0])
        transform = Transform(affine=affine, displacement_mm=field, grid=FIELD)
        point = FIELD.centre_ras[None]
        np.testing.assert_allclose(
            transform_points(transform, point)[0], affine[:3, :3] @ (point[0] + (5, 0, 0))
        )

    def test_none(self) -> None:
        """No point in, no point out."""
        assert transform_points(some_transform(), np.empty((0, 3))).shape == (0, 3)


class TestTotalDisplacement:
    def test_is_where_points_go(self) -> None:
        """`T(x) - x` at each node, the affine included."""
        transform = some_transform()
        total = total_displacement_mm(transform.affine, transform.displacement_mm, FIELD)
        assert total.dtype == np.float32
        points = FIELD.to_world(voxels(FIELD))
        moved = transform_points(transform, points)
        np.testing.assert_allclose(total.reshape(3, -1).T, moved - points, atol=1e-3)

    def test_slabs_make_no_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One plane at a time gives the same."""
        field = smooth_field(FIXED)
        whole = total_displacement_mm(some_affine(), field, FIXED)
        monkeypatch.setattr(displacement, "SLAB_VOXELS", 1)
        np.testing.assert_array_equal(total_displacement_mm(some_affine(), field, FIXED), whole)


class TestVoxelDisplacement:
    def test_leads_to_the_moving_voxel(self) -> None:
        """Added to a fixed voxel it is the voxel of the moving array that shows the same tissue."""
        transform = some_transform()
        dense = dense_displacement(transform, FIXED)
        found = voxel_displacement(transform.affine, dense, FIXED, MOVING).reshape(3, -1).T
        at = voxels(FIXED)
        expected = MOVING.to_voxel(transform_points(transform, FIXED.to_world(at)))
        np.testing.assert_allclose(at + found, expected, atol=1e-3)


def test_the_affine_is_taken_out_of_a_total_displacement() -> None:
    """What is left is `u`."""
    total = total_displacement_mm(some_affine(), smooth_field(FIELD), FIELD)
    back = without_affine(some_affine(), total, FIELD)
    np.testing.assert_allclose(back, smooth_field(FIELD), atol=1e-3)


@pytest.mark.parametrize("threads", [1, 2])
def test_samples_are_those_of_grid_sample(threads: int) -> None:
    """Shared out over threads or not, also where their number does not divide the points."""
    volume, points = torch.randn(1, 5, 6, 7, 8), 5 * torch.rand(3, 101)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = sample(volume, points[None])[0]
    finally:
        torch.set_num_threads(before)
    low = points.floor().long()
    share = points - low
    expected = torch.zeros(5, 101)
    for corner in np.ndindex(2, 2, 2):
        step = torch.tensor(corner)[:, None]
        weight = torch.where(step == 1, share, 1 - share).prod(dim=0)
        x, y, z = (low + step).unbind()
        expected += weight * volume[0, :, x, y, z]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
