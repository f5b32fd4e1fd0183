"""Inverses against closed forms, round trips and SimpleITK, on oblique grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError
from lungreg.formats.transforms import encode_composite
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Grid, Transform, affine_transform, apply_affine, flip_lps
from lungreg.spatial.inversion import MAX_MM, MEAN_MM, invert, invert_points
from lungreg.spatial.inversion import inverse as module
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, affine, breath, interior
from tests.grids import voxels

pytestmark = pytest.mark.usefixtures("one_thread")


def folded() -> Transform:
    """Tissue that runs backwards in the middle."""
    transform = breath(size_mm=0.0)
    transform.displacement_mm[2, :, :, 5:] -= 60.0
    return transform


def in_lungs(points_ras: np.ndarray) -> np.ndarray:
    """Those of some points (N, 3) that lie in the lungs of the fixed scan: an ellipsoid."""
    return points_ras[np.linalg.norm((points_ras - FIXED.centre_ras) / (55, 38, 55), axis=1) < 1]


def lungs_of(transform: Transform) -> np.ndarray:
    """(X, Y, Z) the same lungs in the moving scan."""
    fixed, _ = invert_points(transform, MOVING.to_world(voxels(MOVING)))
    radius = np.linalg.norm((fixed - FIXED.centre_ras) / (55, 38, 55), axis=1)
    return (radius < 1).reshape(MOVING.shape)


class TestPoints:
    @pytest.mark.parametrize("down_mm", [0.0, 30.0, 60.0])
    def test_there_and_back(self, down_mm: float) -> None:
        """However far the lungs move, within a millionth of a mm, also beyond the field."""
        transform = breath(down_mm=down_mm)
        points = interior(FIXED, 400, margin=-4)
        back, residual_mm = invert_points(transform, transform_points(transform, points))
        np.testing.assert_allclose(back, points, atol=1e-4)
        assert residual_mm.max() <= 1e-6

    def test_of_an_affine_alone(self) -> None:
        """It is the inverse matrix."""
        points = interior(MOVING, 5)
        found, _ = invert_points(affine_transform(affine()), points)
        np.testing.assert_allclose(found, apply_affine(np.linalg.inv(affine()), points), atol=1e-9)

    def test_of_a_steep_expansion(self) -> None:
        """Where a step of one voxel moves tissue by two more, a fixed-point iteration diverges."""
        transform = breath(size_mm=0.0)
        centred = FIELD.to_world(voxels(FIELD)) - FIELD.centre_ras
        transform.displacement_mm[:] = (2.0 * centred).T.reshape(3, *FIELD.shape)
        points = interior(FIXED, 50)
        back, _ = invert_points(transform, transform_points(transform, points))
        np.testing.assert_allclose(back, points, atol=1e-5)

    def test_of_a_fold(self) -> None:
        """One of several inverses is found, and is one."""
        points = transform_points(folded(), interior(FIXED, 300))
        found, residual_mm = invert_points(folded(), points)
        gap_mm = np.linalg.norm(transform_points(folded(), found) - points, axis=1)
        np.testing.assert_allclose(residual_mm, gap_mm, atol=1e-5)
        assert np.mean(gap_mm < 1e-3) > 0.95

    def test_none(self) -> None:
        """No point in, no point out."""
        found, residual_mm = invert_points(breath(), np.empty((0, 3)))
        assert found.shape == (0, 3)
        assert residual_mm.shape == (0,)


class TestGrid:
    @pytest.mark.parametrize("down_mm", [0.0, 30.0, 60.0])
    def test_the_transform_after_its_inverse(self, down_mm: float) -> None:
        """It returns within 0.1 mm, at points between the voxels too, and says so."""
        transform = breath(FIXED, down_mm=down_mm)
        inverse = invert(transform, MOVING, lungs=lungs_of(transform))
        assert inverse.residual_mean_mm <= MEAN_MM
        assert inverse.residual_max_mm <= MAX_MM
        assert inverse.voxels > 1000
        points = transform_points(transform, in_lungs(interior(FIXED, 3000)))
        points = points[MOVING.contains(points)]
        back = transform_points(inverse.transform, points)
        gap_mm = np.linalg.norm(transform_points(transform, back) - points, axis=1)
        assert len(points) > 500
        assert gap_mm.max() < 0.1
        assert gap_mm.mean() == pytest.approx(inverse.residual_mean_mm, rel=0.3)

    def test_is_no_finer_than_needed(self) -> None:
        """A gentle breath takes fewer nodes than a deep one, a shift as few as an affine alone."""
        still, shift = breath(size_mm=0.0), breath(size_mm=0.0)
        shift.displacement_mm[1] = 40.0
        sizes = [
            invert(transform, MOVING).transform.grid.size
            for transform in (shift, breath(size_mm=2.0), breath(down_mm=60))
        ]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[1] < sizes[2]
        assert sizes[0] == invert(still, MOVING).transform.grid.size < FIELD.size / 2**3

    def test_only_lungs_count_where_they_are_given(self) -> None:
        """A rough field outside of them asks for no finer grid."""
        rough = breath(down_mm=60)
        lungs = np.zeros(MOVING.shape, dtype=np.uint8)
        at = MOVING.to_world(voxels(MOVING)) - FIXED.centre_ras
        lungs[(np.linalg.norm(at - (0, 0, 45), axis=1) < 20).reshape(MOVING.shape)] = 2
        some, whole = invert(rough, MOVING, lungs=lungs), invert(rough, MOVING)
        assert 0 < some.voxels <= np.count_nonzero(lungs) < whole.voxels
        assert some.transform.grid.size < whole.transform.grid.size
        assert some.residual_max_mm <= MAX_MM

    def test_covers_the_moving_scan_to_its_faces(self) -> None:
        """So that ITK takes nothing in it as zero."""
        grid = invert(breath(), MOVING).transform.grid
        corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in MOVING.shape])).reshape(3, -1).T
        index = grid.to_voxel(MOVING.to_world(corners))
        last = np.array(grid.shape) - 1
        np.testing.assert_allclose(np.minimum(np.abs(index), np.abs(index - last)), 0, atol=1e-6)

    def test_a_fold_is_reported(self) -> None:
        """It ends, and the residual shows that there is no inverse."""
        inverse = invert(folded(), MOVING)
        assert inverse.residual_max_mm > MAX_MM
        assert np.isfinite(inverse.transform.displacement_mm).all()

    def test_simpleitk_goes_there_and_back(self, tmp_path: Path) -> None:
        """Through both files, within 0.1 mm."""
        transform = breath(down_mm=40)
        files = {"t.h5": transform, "i.h5": invert(transform, MOVING).transform}
        for name, one in files.items():
            (tmp_path / name).write_bytes(encode_composite(one))
        there, back = (sitk.ReadTransform(str(tmp_path / name)) for name in files)
        points = transform_points(transform, interior(FIXED, 500))
        points = points[MOVING.contains(points)]
        assert len(points) > 200
        for point in flip_lps(points).tolist():
            again = there.TransformPoint(back.TransformPoint(point))
            assert np.linalg.norm(np.subtract(again, point)) < 0.1

    def test_slabs_make_no_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However the work is cut."""
        whole = invert(breath(size_mm=2.0), MOVING)
        monkeypatch.setattr(module, "SLAB_POINTS", 3_000)
        parts = invert(breath(size_mm=2.0), MOVING)
        np.testing.assert_allclose(
            parts.transform.displacement_mm, whole.transform.displacement_mm, atol=1e-4
        )
        assert parts.residual_max_mm == pytest.approx(whole.residual_max_mm, abs=1e-4)

    def test_one_plane(self) -> None:
        """Along an axis of one node nothing changes."""
        plane = Grid(shape=(12, 1, 9), affine=FIELD.affine)
        transform = breath(plane, size_mm=3.0)
        assert invert(transform, MOVING).residual_max_mm <= MAX_MM

    def test_lungs_of_another_grid_are_refused(self) -> None:
        """They would count the wrong voxels."""
        with pytest.raises(DataError, match="lungs on the moving grid"):
            invert(breath(), MOVING, lungs=np.ones(FIXED.shape))

    def test_a_displacement_that_is_not_finite_is_refused(self) -> None:
        """No search ends in NaN."""
        transform = breath()
        transform.displacement_mm[0, 0, 0, 0] = np.nan
        with pytest.raises(DataError, match="finite"):
            invert(transform, MOVING)
