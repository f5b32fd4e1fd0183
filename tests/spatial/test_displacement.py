"""Displacement fields against MONAI, SimpleITK, NumPy and closed forms, on oblique grids."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.networks.blocks import Warp

from lungreg.spatial import displacement
from lungreg.spatial.displacement import (
    dense_displacement,
    index_grid,
    jacobian_determinant,
    resample,
    sample,
    to_mm,
    total_displacement_mm,
    transform_points,
    voxel_displacement,
    warp,
    without_affine,
)
from lungreg.spatial.geometry import Grid, Transform, apply_affine, flip_lps
from tests.grids import affine_to_sitk, from_sitk, oblique_grid, to_sitk, voxels

pytestmark = pytest.mark.usefixtures("one_thread")

FIXED = oblique_grid((22, 18, 16))
MOVING = oblique_grid(
    (20, 26, 24),
    spacing_mm=(2.6, 2.0, 1.7),
    angles_rad=(-0.3, 0.25, 0.1),
    axes=(2, 0, 1),
    signs=(1.0, -1.0, 1.0),
    centre_ras=(12.0, -18.0, 301.0),
)
FIELD = FIXED.resized((11, 6, 8))


def some_affine() -> np.ndarray:
    """A turn, a scale and a shift about the fixed scan's centre."""
    angle = 0.1
    linear = np.diag([1.05, 0.95, 1.1]) @ np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = FIXED.centre_ras + np.array([1.0, -2.0, 0.5]) - linear @ FIXED.centre_ras
    return matrix


def smooth_field(grid: Grid, *, size_mm: float = 4.0) -> np.ndarray:
    """(3, X, Y, Z) waves of the world, another for each component."""
    x, y, z = (grid.to_world(voxels(grid)) - FIXED.centre_ras).T / 15.0
    waves = np.stack([np.sin(x + 0.3 * y), np.cos(y - z), np.sin(z) * np.cos(x)])
    return (size_mm * waves).reshape(3, *grid.shape).astype(np.float32)


def some_transform() -> Transform:
    """An affine and a field on a coarse grid over the fixed scan's box."""
    return Transform(affine=some_affine(), displacement_mm=smooth_field(FIELD), grid=FIELD)


def itk_transform(transform: Transform) -> sitk.CompositeTransform:
    """The same map in ITK: of a composite, the last transform is applied first."""
    field = sitk.DisplacementFieldTransform(to_sitk(transform.displacement_mm, transform.grid))
    return sitk.CompositeTransform([affine_to_sitk(transform.affine), field])


def smooth_scan(grid: Grid) -> np.ndarray:
    """Hundreds of Hounsfield units, varying slowly."""
    x, y, z = (grid.to_world(voxels(grid)) - FIXED.centre_ras).T / 20.0
    values = -500 + 300 * np.sin(x) * np.cos(y) + 200 * np.cos(z + 0.5)
    return values.reshape(grid.shape).astype(np.float32)


def itk_resampled(
    values: np.ndarray, transform: sitk.Transform, *, interpolator: int, default: float
) -> np.ndarray:
    """What ITK's own filter gives on the fixed grid."""
    reference = to_sitk(np.zeros(FIXED.shape, dtype=np.float32), FIXED)
    image = to_sitk(values, MOVING)
    return from_sitk(sitk.Resample(image, reference, transform, interpolator, default))


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
        held = FIELD.to_world(np.clip(FIELD.to_voxel(points), low, high))
        np.testing.assert_allclose(found, (held - FIELD.centre_ras) @ slope.T, atol=1e-5)

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


class TestResample:
    @pytest.mark.parametrize("through", ["identity", "affine", "field", "both"])
    def test_linear_equals_simpleitk(self, through: str) -> None:
        """Oblique, anisotropic, differently oriented scans: ITK gives the same to 0.01 HU."""
        whole = some_transform()
        affine = whole.affine if through in ("affine", "both") else np.eye(4)
        field = whole.displacement_mm if through in ("field", "both") else 0 * whole.displacement_mm
        transform = Transform(affine=affine, displacement_mm=field, grid=FIELD)
        scan = smooth_scan(MOVING)
        dense = dense_displacement(transform, FIXED)
        found = resample(scan, MOVING, FIXED, affine, dense, outside_value=-1000.0)
        expected = itk_resampled(
            scan, itk_transform(transform), interpolator=sitk.sitkLinear, default=-1000.0
        )
        compared = self._covered_by_field() & ~found.outside & (expected != -1000.0)
        assert compared.mean() > 0.3
        assert np.abs(found.values - expected)[compared].max() < 1e-2
        assert ((expected == -1000.0) == found.outside)[self._covered_by_field()].mean() > 0.999

    def test_nearest_equals_simpleitk(self) -> None:
        """Labels come over whole; almost every voxel's is ITK's (ties may differ)."""
        transform = some_transform()
        labels = np.random.default_rng(0).integers(0, 5, MOVING.shape).astype(np.uint8)
        dense = dense_displacement(transform, FIXED)
        found = resample(labels, MOVING, FIXED, transform.affine, dense, mode="nearest")
        expected = itk_resampled(
            labels, itk_transform(transform), interpolator=sitk.sitkNearestNeighbor, default=0
        )
        assert found.values.dtype == np.uint8
        assert set(np.unique(found.values)) <= set(range(5))
        assert (found.values == expected)[self._covered_by_field()].mean() > 0.999

    def test_no_displacement_is_a_zero_one(self) -> None:
        """Leaving the field out samples through the affine alone."""
        scan = smooth_scan(MOVING)
        zero = np.zeros((3, *FIXED.shape), dtype=np.float32)
        without = resample(scan, MOVING, FIXED, some_affine())
        np.testing.assert_array_equal(
            without.values, resample(scan, MOVING, FIXED, some_affine(), zero).values
        )

    def test_outside_gets_its_value_and_is_told(self) -> None:
        """Half a voxel beyond the outer centres the scan ends: from there on there is air."""
        fixed = Grid(shape=(8, 2, 2), affine=np.diag([0.5, 1.0, 1.0, 1.0]))
        moving = Grid(shape=(2, 2, 2), affine=np.eye(4))
        scan = np.full(moving.shape, 7.0, dtype=np.float32)
        found = resample(scan, moving, fixed, np.eye(4), outside_value=-3.0)
        # At 0, 0.5, 1 and 1.5 mm there is scan, at 2 mm and beyond there is none.
        expected = np.array([False] * 4 + [True] * 4)
        np.testing.assert_array_equal(found.outside[:, 0, 0], expected)
        np.testing.assert_array_equal(found.values[:, 1, 1], np.where(expected, -3.0, 7.0))

    def test_whole_numbers_are_rounded(self) -> None:
        """Between 10 and 13 lie 11 and 12, not what is left when the fraction is cut off."""
        moving = Grid(shape=(2, 1, 1), affine=np.diag([3.0, 1.0, 1.0, 1.0]))
        fixed = Grid(shape=(4, 1, 1), affine=np.diag([0.95, 1.0, 1.0, 1.0]))
        scan = np.array([10, 13], dtype=np.int16).reshape(2, 1, 1)
        found = resample(scan, moving, fixed, np.eye(4))
        assert found.values.dtype == np.int16
        np.testing.assert_array_equal(found.values.ravel(), [10, 11, 12, 13])

    @pytest.mark.parametrize("voxels_at_once", [1, 700, 3000])
    def test_slabs_make_no_difference(
        self, voxels_at_once: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However the work is cut, values and outside are the same to the bit."""
        scan, field = smooth_scan(MOVING), smooth_field(FIXED)
        whole = resample(scan, MOVING, FIXED, some_affine(), field)
        monkeypatch.setattr(displacement, "SLAB_VOXELS", voxels_at_once)
        parts = resample(scan, MOVING, FIXED, some_affine(), field)
        np.testing.assert_array_equal(parts.values, whole.values)
        np.testing.assert_array_equal(parts.outside, whole.outside)

    @staticmethod
    def _covered_by_field() -> np.ndarray:
        """(X, Y, Z) where ITK's field does not end: beyond its outer nodes it takes it as zero."""
        index = FIELD.to_voxel(FIXED.to_world(voxels(FIXED)))
        inside = (index >= 0) & (index <= np.array(FIELD.shape) - 1)
        return np.asarray(inside.all(axis=1).reshape(FIXED.shape))


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
