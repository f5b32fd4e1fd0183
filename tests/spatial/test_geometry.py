"""Grids and frames, against SimpleITK and identities, on an oblique anisotropic grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lungreg.errors import DataError
from lungreg.spatial.geometry import (
    RAS_TO_LPS,
    Frame,
    Grid,
    Transform,
    affine_to_lps,
    affine_transform,
    apply_affine,
    convert_points,
    cubic_grid,
    flip_lps,
    nearest_affine,
)
from tests.grids import oblique_grid, to_sitk, voxels

GRID = oblique_grid((7, 9, 5), axes=(2, 0, 1), signs=(1.0, -1.0, -1.0))
POINTS = arrays(np.float64, (4, 3), elements=st.floats(-400, 400))
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))


class TestGrid:
    @pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 4), (4, 0, 4), (-1, 4, 4)])
    def test_has_three_sizes(self, shape: tuple[int, ...]) -> None:
        """Another number of sizes, or a size below 1, is refused and shown."""
        with pytest.raises(DataError, match=r"three sizes of at least 1, got \("):
            Grid(shape=shape, affine=np.eye(4))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("affine", "got"),
        [
            (np.eye(3), r"shape \(3, 3\)"),
            (np.diag([1.0, np.nan, 1.0, 1.0]), "NaN or infinity"),
            (np.diag([1.0, 1.0, np.inf, 1.0]), "NaN or infinity"),
        ],
    )
    def test_has_a_finite_affine(self, affine: np.ndarray, got: str) -> None:
        """An affine of another shape, or that is not finite, is refused for what it is."""
        with pytest.raises(DataError, match=f"finite 4 x 4 matrix, got {got}"):
            Grid(shape=(2, 2, 2), affine=affine)

    @pytest.mark.parametrize(
        "affine", [np.diag([1.0, 0.0, 1.0, 1.0]), np.array([[1, 1, 0, 0]] * 2 + [[0, 0, 1, 0]] * 2)]
    )
    def test_has_an_invertible_affine(self, affine: np.ndarray) -> None:
        """A spacing of zero and parallel axes are refused."""
        with pytest.raises(DataError, match="must be invertible"):
            Grid(shape=(2, 2, 2), affine=affine)

    def test_is_frozen_and_its_own(self) -> None:
        """Changing the array that made a grid does not change the grid, nor can its own."""
        affine = np.eye(4)
        grid = Grid(shape=(2, 2, 2), affine=affine)
        affine[0, 0] = 5.0
        assert grid.affine[0, 0] == 1.0
        with pytest.raises(ValueError, match="read-only"):
            grid.affine[0, 0] = 5.0

    def test_spacing_directions_and_volume(self) -> None:
        """Spacing, directions and volume are those the grid was made of."""
        np.testing.assert_allclose(GRID.spacing_mm, (2.0, 1.5, 3.0), rtol=1e-12)
        np.testing.assert_allclose(GRID.directions.T @ GRID.directions, np.eye(3), atol=1e-12)
        assert GRID.voxel_volume_mm3 == pytest.approx(9.0)
        assert GRID.size == 7 * 9 * 5
        np.testing.assert_allclose(GRID.centre_ras, (10.0, -20.0, 300.0), atol=1e-9)

    @given(points=POINTS)
    def test_voxel_and_world_are_inverse(self, points: np.ndarray) -> None:
        """There and back is where one was, either way round."""
        np.testing.assert_allclose(GRID.to_voxel(GRID.to_world(points)), points, atol=1e-9)
        np.testing.assert_allclose(GRID.to_world(GRID.to_voxel(points)), points, atol=1e-9)

    @given(shape=SHAPES)
    def test_resized_keeps_the_faces(self, shape: tuple[int, int, int]) -> None:
        """A grid of another shape has the same outer corners, and the way back is exact."""
        resized = GRID.resized(shape)
        for corner in np.ndindex(2, 2, 2):
            ours = GRID.to_world(np.array(corner)[None] * np.array(GRID.shape) - 0.5)
            theirs = resized.to_world(np.array(corner)[None] * np.array(shape) - 0.5)
            np.testing.assert_allclose(theirs, ours, atol=1e-9)
        assert resized.shape == shape
        assert resized.resized(GRID.shape).same_as(GRID, tolerance_mm=1e-9)

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_axis_along_the_world(self, order: tuple[int, int, int]) -> None:
        """Of axes in any order, reversed and a little oblique."""
        affine = np.eye(4)
        affine[:3, :3] = [[-2.0, 0.3, 0.1], [0.2, 1.5, -0.4], [0.1, 0.3, 5.0]]
        affine[:3, :3] = affine[:3, order]
        grid = Grid(shape=(4, 5, 6), affine=affine)
        assert [order[grid.axis_along(world)] for world in range(3)] == [0, 1, 2]

    def test_cropped_keeps_every_voxel_in_its_place(self) -> None:
        """A voxel of the box lies where it lay in the whole grid."""
        box = slice(2, 6), slice(0, 9), slice(3, None)
        cropped = GRID.cropped(box)
        assert cropped.shape == (4, 9, 2)
        shift = np.array([2.0, 0.0, 3.0])
        expected = GRID.to_world(voxels(cropped) + shift)
        np.testing.assert_allclose(cropped.to_world(voxels(cropped)), expected, atol=1e-9)

    def test_corners_are_the_outermost_voxel_centres(self) -> None:
        """Eight places, of the grid or of a box in it."""
        index = GRID.to_voxel(GRID.corners_ras())
        assert {tuple(place) for place in np.rint(index).astype(int).tolist()} == {
            (x, y, z) for x in (0, 6) for y in (0, 8) for z in (0, 4)
        }
        box = slice(1, 5), slice(2, 3), slice(0, 4)
        np.testing.assert_allclose(
            GRID.corners_ras(box), GRID.cropped(box).corners_ras(), atol=1e-9
        )

    def test_same_as_looks_at_every_voxel(self) -> None:
        """A shift counts from the tolerance on; a tiny turn counts where it moves a far corner."""
        shifted = np.array(GRID.affine)
        shifted[0, 3] += 0.9e-3
        assert GRID.same_as(Grid(shape=GRID.shape, affine=shifted))
        shifted[0, 3] += 0.2e-3
        assert not GRID.same_as(Grid(shape=GRID.shape, affine=shifted))
        assert GRID.same_as(Grid(shape=GRID.shape, affine=shifted), tolerance_mm=0.01)
        stretched = np.array(GRID.affine)
        stretched[:3, 1] *= 1.001
        assert not GRID.same_as(Grid(shape=GRID.shape, affine=stretched))
        assert not GRID.same_as(Grid(shape=(7, 9, 4), affine=GRID.affine))

    def test_contains_half_a_voxel_beyond_the_centres(self) -> None:
        """The faces of the outer voxels bound a grid; NaN lies nowhere."""
        inside = np.array([[-0.49, 0, 0], [6.49, 8.49, 4.49], [3, 4, 2]])
        outside = np.array([[-0.51, 0, 0], [0, 8.51, 0], [0, 0, 4.6], [np.nan, 0, 0]])
        assert GRID.contains(GRID.to_world(inside)).all()
        assert not GRID.contains(GRID.to_world(outside)).any()


class TestFrames:
    def test_voxels_are_where_simpleitk_sees_them(self) -> None:
        """Voxel to LPS equals ITK's index to physical point, for every voxel."""
        image = to_sitk(np.zeros(GRID.shape, dtype=np.float32), GRID)
        index = voxels(GRID)
        expected = [image.TransformContinuousIndexToPhysicalPoint(p.tolist()) for p in index]
        found = convert_points(index, Frame.VOXEL, Frame.LPS, grid=GRID)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        back = convert_points(np.array(expected), Frame.LPS, Frame.VOXEL, grid=GRID)
        np.testing.assert_allclose(back, index, atol=1e-9)

    @given(points=POINTS, source=st.sampled_from(Frame), target=st.sampled_from(Frame))
    def test_every_way_has_its_way_back(
        self, points: np.ndarray, source: Frame, target: Frame
    ) -> None:
        """From any frame to any other and back, also through a third one."""
        there = convert_points(points, source, target, grid=GRID)
        back = convert_points(there, target, source, grid=GRID)
        np.testing.assert_allclose(back, points, atol=1e-8)
        through = convert_points(points, source, Frame.RAS, grid=GRID)
        through = convert_points(through, Frame.RAS, target, grid=GRID)
        np.testing.assert_allclose(through, there, atol=1e-8)

    @pytest.mark.parametrize(
        ("source", "target"), [(Frame.VOXEL, Frame.RAS), (Frame.LPS, Frame.VOXEL)]
    )
    def test_voxels_need_their_grid(self, source: Frame, target: Frame) -> None:
        """Voxel coordinates of no grid are refused; the worlds need none."""
        with pytest.raises(DataError, match="need the grid"):
            convert_points(np.zeros((1, 3)), source, target)
        flipped = convert_points(np.array([[1.0, 2.0, 3.0]]), Frame.RAS, Frame.LPS)
        np.testing.assert_array_equal(flipped, [[-1.0, -2.0, 3.0]])

    def test_whole_numbers_become_real_ones(self) -> None:
        """Integer coordinates are converted like any others."""
        found = convert_points(np.array([[1, 2, 3]]), Frame.VOXEL, Frame.RAS, grid=GRID)
        np.testing.assert_allclose(found, GRID.to_world(np.array([[1.0, 2.0, 3.0]])))

    @given(points=POINTS)
    def test_flip_is_its_own_inverse(self, points: np.ndarray) -> None:
        """LPS of LPS is RAS."""
        np.testing.assert_array_equal(flip_lps(flip_lps(points)), points)

    @given(points=POINTS)
    def test_affine_between_lps_worlds(self, points: np.ndarray) -> None:
        """Mapping and flipping commute when the map is flipped too; twice is the map itself."""
        matrix = GRID.affine
        there = apply_affine(affine_to_lps(matrix), flip_lps(points))
        np.testing.assert_allclose(flip_lps(there), apply_affine(matrix, points), atol=1e-9)
        np.testing.assert_allclose(affine_to_lps(affine_to_lps(matrix)), matrix)
        assert np.linalg.det(RAS_TO_LPS) == 1.0


def test_transform_has_a_vector_at_each_node() -> None:
    """A displacement of another grid's shape is refused."""
    with pytest.raises(DataError, match=r"has shape \(3, 7, 9, 5\), got \(3, 7, 9, 4\)"):
        Transform(
            affine=np.eye(4), displacement_mm=np.zeros((3, 7, 9, 4), dtype=np.float32), grid=GRID
        )


@pytest.mark.parametrize("grid", [None, GRID])
def test_an_affine_alone_moves_points_as_its_matrix(grid: Grid | None) -> None:
    """Its displacement is zero, on the grid given or on one voxel."""
    transform = affine_transform(GRID.affine, grid)
    assert transform.grid.shape == (1, 1, 1) if grid is None else transform.grid is grid
    assert not transform.displacement_mm.any()
    np.testing.assert_array_equal(transform.affine, GRID.affine)


def test_the_frame_is_the_nearest_orthonormal_one() -> None:
    """Of oblique axes their own directions; of sheared ones, orthonormal and no further off."""
    grid = oblique_grid((5, 6, 7))
    np.testing.assert_allclose(grid.frame, grid.directions, atol=1e-12)
    sheared = grid.affine.copy()
    sheared[:3, 0] += 0.1 * sheared[:3, 1]
    frame = Grid(shape=grid.shape, affine=sheared).frame
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.abs(frame - grid.frame).max() < 0.1


def test_a_cubic_grid_holds_its_points_and_the_margin() -> None:
    """Cubic voxels along the frame; the first voxel lies a margin before the first point."""
    frame = oblique_grid((5, 6, 7)).frame
    points = np.random.default_rng(0).uniform(-40, 60, (50, 3))
    grid = cubic_grid(points, frame, 2.5, margin_mm=5.0)
    np.testing.assert_allclose(grid.spacing_mm, 2.5)
    np.testing.assert_allclose(grid.directions, frame, atol=1e-12)
    inside = grid.to_voxel(points)
    np.testing.assert_allclose(inside.min(axis=0), 2.0)
    assert (inside.max(axis=0) <= np.array(grid.shape) - 1 - 2.0 + 1e-9).all()
    assert cubic_grid(points[:1], frame, 2.5, fewest=3).shape == (3, 3, 3)


def test_an_anchored_grid_begins_whole_blocks_from_its_anchor() -> None:
    """Points that differ move its ends alone; it holds them and the margin."""
    scan, rng = oblique_grid((5, 6, 7)), np.random.default_rng(0)
    anchor = scan.affine[:3, 3]
    for _ in range(5):
        points = rng.uniform(-40, 60, (9, 3))
        grid = cubic_grid(points, scan.frame, 2.5, margin_mm=5.0, anchor_ras=anchor, block=4)
        blocks = grid.to_voxel(anchor[None]) / 4
        np.testing.assert_allclose(blocks, np.rint(blocks), atol=1e-9)
        first, last = (getattr(grid.to_voxel(points), end)(axis=0) for end in ("min", "max"))
        assert (first >= 2.0 - 1e-9).all()
        assert (first < 2.0 + 4).all()
        assert (last <= np.array(grid.shape) - 1 - 2.0 + 1e-9).all()


def test_the_nearest_affine_of_affine_points_is_theirs() -> None:
    """Exact where the points follow one; of noise it keeps the mean."""
    rng = np.random.default_rng(1)
    points = rng.normal(0, 50, (40, 3))
    affine = np.eye(4)
    affine[:3] += rng.normal(0, 0.3, (3, 4))
    carried = apply_affine(affine, points)
    np.testing.assert_allclose(nearest_affine(points, carried), affine, atol=1e-12)
    noisy = carried + rng.normal(0, 1, carried.shape)
    found = apply_affine(nearest_affine(points, noisy), points)
    np.testing.assert_allclose(found.mean(axis=0), noisy.mean(axis=0), atol=1e-10)
