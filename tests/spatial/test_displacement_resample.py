"""Images and labels resampled through a displacement field, against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.spatial import displacement
from lungreg.spatial.displacement import dense_displacement, resample
from lungreg.spatial.geometry import Grid, Transform
from tests.grids import from_sitk, to_sitk, voxels
from tests.spatial.fields import (
    FIELD,
    FIXED,
    MOVING,
    itk_transform,
    smooth_field,
    smooth_scan,
    some_affine,
    some_transform,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def itk_resampled(
    values: np.ndarray, transform: sitk.Transform, *, interpolator: int, default: float
) -> np.ndarray:
    """What ITK's own filter gives on the fixed grid."""
    reference = to_sitk(np.zeros(FIXED.shape, dtype=np.float32), FIXED)
    image = to_sitk(values, MOVING)
    return from_sitk(sitk.Resample(image, reference, transform, interpolator, default))


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

    def test_outside_gets_its_value_and_is_marked(self) -> None:
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
