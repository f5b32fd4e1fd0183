"""Several transforms at once against one at a time and SimpleITK, on oblique grids."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError
from lungreg.spatial import composition
from lungreg.spatial.composition import chain_points, resample_through
from lungreg.spatial.displacement import dense_displacement, resample, transform_points
from lungreg.spatial.geometry import Transform, affine_transform
from tests.formats.transforms.breathing import FIXED, MOVING, affine, breath, interior, scan
from tests.grids import affine_to_sitk, from_sitk, to_sitk

pytestmark = pytest.mark.usefixtures("one_thread")

FIRST, SECOND = breath(size_mm=5.0), breath(FIXED, size_mm=9.0, down_mm=20.0)


def itk_of(transform: Transform) -> sitk.Transform:
    field = sitk.DisplacementFieldTransform(to_sitk(transform.displacement_mm, transform.grid))
    return sitk.CompositeTransform([affine_to_sitk(transform.affine), field])


@pytest.mark.parametrize("order", [0, 1])
def test_one_transform_is_the_warped_image(order: int) -> None:
    """The same as `displacement.resample` gives."""
    moving = scan()
    found = resample_through(moving, MOVING, [FIRST], FIXED, order=order, outside_value=-1000)
    mode = "linear" if order else "nearest"
    dense = dense_displacement(FIRST, FIXED)
    expected = resample(moving, MOVING, FIXED, FIRST.affine, dense, mode=mode, outside_value=-1000)
    same = found.outside == expected.outside
    assert same.mean() > 0.999
    close = np.isclose(found.values, expected.values, atol=0.5)
    assert close[same].mean() > 0.999


@pytest.mark.parametrize(("order", "interpolator"), [(1, sitk.sitkLinear), (3, sitk.sitkBSpline3)])
def test_two_transforms_are_those_of_simpleitk(order: int, interpolator: int) -> None:
    """A point of the reference goes through the first one first; the image is sampled once."""
    moving = scan()
    # ITK applies the last of a composite first.
    both = sitk.CompositeTransform([itk_of(SECOND), itk_of(FIRST)])
    reference, image = to_sitk(scan(FIXED), FIXED), to_sitk(moving, MOVING)
    expected = from_sitk(sitk.Resample(image, reference, both, interpolator, 5000.0))
    found = resample_through(
        moving, MOVING, [FIRST, SECOND], FIXED, order=order, outside_value=5000.0
    )
    # Where the first one leads out of the second's field ITK takes it as zero.
    points = FIXED.to_world(np.indices(FIXED.shape).reshape(3, -1).T.astype(float))
    covered = FIXED.contains(transform_points(FIRST, points)).reshape(FIXED.shape)
    inside = covered & ~found.outside & (expected != 5000.0)
    assert inside.mean() > 0.3
    assert np.abs(found.values - expected)[inside].max() < 1


def test_labels_stay_labels() -> None:
    """Nearest neighbour, in their own type."""
    labels = (scan() > -500).astype(np.uint8) * 7
    found = resample_through(labels, MOVING, [FIRST, SECOND], FIXED, order=0)
    assert found.values.dtype == np.uint8
    assert set(np.unique(found.values)) == {0, 7}


def test_points_go_through_the_first_one_first() -> None:
    """The second one takes what the first one gives."""
    points = interior(FIXED, 20)
    expected = transform_points(SECOND, transform_points(FIRST, points))
    np.testing.assert_array_equal(chain_points([FIRST, SECOND], points), expected)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_no_transform_leaves_the_image(order: int) -> None:
    """On its own grid through the identity, splines of all orders meet the voxels."""
    moving = scan()
    found = resample_through(moving, MOVING, [affine_transform(np.eye(4))], MOVING, order=order)
    np.testing.assert_allclose(found.values, moving, atol=0.01)
    assert not found.outside.any()


def test_slabs_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plane at a time gives the same."""
    through = (scan(), MOVING, [FIRST, affine_transform(affine())], FIXED)
    whole = resample_through(*through)
    monkeypatch.setattr(composition, "SLAB_VOXELS", 1)
    np.testing.assert_array_equal(resample_through(*through).values, whole.values)


@pytest.mark.parametrize("order", [-1, 4])
def test_other_orders_are_refused(order: int) -> None:
    """Splines go from nearest to cubic."""
    with pytest.raises(DataError, match="0 to 3"):
        resample_through(scan(), MOVING, [FIRST], FIXED, order=order)
