"""Compiled interpolation and differentiation: the values of PyTorch's operations.

To the bit where each voxel is looked up on its own; where the axes of two grids run along each
other sums are taken in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lungreg.spatial.carrying import PaddedScan, resample_scan, resample_with_labels
from lungreg.spatial.displacement import (
    dense_displacement,
    jacobian_determinant,
    resample,
    transform_points,
)
from lungreg.spatial.fused import field_on
from lungreg.spatial.geometry import Grid, Transform
from lungreg.spatial.lines import affine_lines
from lungreg.spatial.straight import places_by_axis
from tests.formats.transforms.breathing import FIXED, MOVING, breath, scan

pytest.importorskip("numba")


def both(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> tuple[Any, Any]:
    """What the compiled loops and PyTorch's operations find."""
    compiled = work()
    with monkeypatch.context() as patched:
        patched.setattr("lungreg.spatial.displacement.is_fused", lambda _: False)
        return compiled, work()


@pytest.mark.parametrize("shape", [FIXED.shape, (1, 9, 14)])
def test_a_field_and_its_determinant(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int]
) -> None:
    """On an oblique grid finer than the field's, also one of a single plane, and beyond it."""
    transform = breath(down_mm=60)
    grid = Grid(shape=shape, affine=FIXED.affine @ np.diag([1.1, 1.3, 0.9, 1.0]))
    found, expected = both(monkeypatch, lambda: dense_displacement(transform, grid))
    assert np.ptp(found) > 20
    np.testing.assert_allclose(found, expected, atol=1e-4)
    found, expected = both(
        monkeypatch, lambda: jacobian_determinant(transform.affine, expected, grid)
    )
    assert np.ptp(found) > 0.1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_a_scan_through_an_affine(
    monkeypatch: pytest.MonkeyPatch, mode: Any, kind: type[np.number[Any]]
) -> None:
    """Values, their type, and where the transform leaves the moving scan."""
    volume = (scan() + 1000).clip(0, 255).astype(kind)
    affine = breath().affine
    found, expected = both(
        monkeypatch,
        lambda: resample(volume, MOVING, FIXED, affine, mode=mode, outside_value=7),
    )
    assert 0 < found.outside.mean() < 1
    assert found.values.dtype == kind
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.outside, expected.outside)


@pytest.mark.parametrize("shape", [(17, 21, 19), (1, 21, 19)])
@pytest.mark.parametrize("kind", [np.float32, np.uint8, np.int16])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_axes_along_each_other(
    monkeypatch: pytest.MonkeyPatch, mode: Any, kind: type[np.number[Any]], shape: Any
) -> None:
    """Half-way places, reversed axes and places beyond every face are those of PyTorch."""
    volume = (scan() + 1000).clip(0, 255).astype(kind)
    moving = Grid(shape=volume.shape, affine=np.diag([2.0, 1.5, 2.5, 1.0]))
    fixed = Grid(shape=shape, affine=np.diag([-1.0, 2.0, 3.1, 1.0]))
    affine = np.eye(4)
    affine[:3, 3] = [18.0, -5.0, -6.0]
    found, expected = both(
        monkeypatch,
        lambda: resample(volume, moving, fixed, affine, mode=mode, outside_value=7),
    )
    assert places_by_axis(affine_lines(np.linalg.inv(moving.affine) @ fixed.affine, shape))
    assert 0 < found.outside.mean() < 1
    assert found.values.dtype == kind
    np.testing.assert_array_equal(found.outside, expected.outside)
    if mode == "nearest":
        np.testing.assert_array_equal(found.values, expected.values)
    else:
        np.testing.assert_allclose(found.values, expected.values, atol=1e-3)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
def test_a_scan_and_its_labels_in_one_pass(kind: type[np.number[Any]]) -> None:
    """What two passes give, for labels of any type."""
    transform = breath(down_mm=60)
    dense_mm = dense_displacement(transform, FIXED)
    labels = (scan() > scan().mean()).astype(kind) * 3
    grids = MOVING, FIXED, transform.affine, dense_mm
    whole = PaddedScan(values=scan(), grid=MOVING, shown=None)
    found, taken = resample_with_labels(whole, labels, *grids[1:], outside_value=7)
    expected = resample(scan(), *grids, outside_value=7)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.outside, expected.outside)
    np.testing.assert_array_equal(taken, resample(labels, *grids, mode="nearest").values)
    assert taken.dtype == kind


def test_a_scan_ends_where_its_padding_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is interpolated from padding, whatever its value; elsewhere all is as without."""
    transform = breath()
    dense_mm = dense_displacement(transform, FIXED)
    shown = np.ones(MOVING.shape, dtype=bool)
    shown[:9] = False
    grids = MOVING, FIXED, transform.affine, dense_mm
    values = np.where(shown, scan(), np.float32(-3024))
    padded = PaddedScan(values=values, grid=MOVING, shown=shown)
    found, expected = both(monkeypatch, lambda: resample_scan(padded, *grids[1:], outside_value=7))
    # Which of PyTorch's libraries multiplies a matrix, and how it rounds, depends on the processor.
    np.testing.assert_allclose(found.values, expected.values, atol=1e-3)
    np.testing.assert_array_equal(found.outside, expected.outside)
    whole = resample(scan(), *grids, outside_value=7)
    hidden = resample(shown.astype(np.float32), *grids).values < 1 - 1e-5
    assert 0.1 < (hidden & ~whole.outside).mean() < 0.9
    np.testing.assert_array_equal(found.outside, whole.outside | hidden)
    np.testing.assert_array_equal(found.values, np.where(found.outside, 7, whole.values))
    labels = shown.astype(np.uint8)
    both_found, taken = resample_with_labels(padded, labels, *grids[1:], outside_value=7)
    np.testing.assert_array_equal(both_found.values, found.values)
    np.testing.assert_array_equal(both_found.outside, found.outside)
    np.testing.assert_array_equal(taken, resample(labels, *grids, mode="nearest").values)


@pytest.mark.parametrize("straight", [True, False])
def test_channels_end_with_the_volume(straight: bool) -> None:
    """Beyond the outer voxels there is zero, where a displacement goes on."""
    field = np.random.default_rng(0).uniform(1, 2, (3, 5, 6, 7)).astype(np.float32)
    matrix = np.eye(4)
    matrix[:3, 3] = -2
    matrix[0, 1] = 0 if straight else 0.13
    lines = affine_lines(matrix, (9, 9, 9))
    going_on, ending = field_on(field, lines), field_on(field, lines, ends=True)
    y = np.arange(9)[:, None] - 2
    x = matrix[0, 1] * np.arange(9)[:, None] + np.arange(9)[:, None, None] - 2
    z = np.arange(9) - 2
    axes = ((x, 5), (y, 6), (z, 7))
    inside = np.logical_and.reduce(
        np.broadcast_arrays(*((it > -0.5) & (it < size - 0.5) for it, size in axes))
    )
    assert going_on.min() >= 1
    np.testing.assert_array_equal(ending, going_on * inside)


def test_a_scan_through_a_displacement(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for how the displacement's product with a matrix is rounded."""
    transform: Transform = breath(down_mm=60)
    dense_mm = dense_displacement(transform, FIXED)
    found, expected = both(
        monkeypatch, lambda: resample(scan(), MOVING, FIXED, transform.affine, dense_mm)
    )
    same = found.outside == expected.outside
    assert same.mean() > 0.999
    np.testing.assert_allclose(found.values[same], expected.values[same], atol=0.02)


@pytest.mark.parametrize("planes", [slice(None), slice(1)])
def test_many_points(monkeypatch: pytest.MonkeyPatch, planes: slice) -> None:
    """Between, at and beyond the nodes, and of a field of one plane."""
    breathing = breath(down_mm=60)
    displacement = np.ascontiguousarray(breathing.displacement_mm[:, planes])
    grid = breathing.grid.resized(displacement.shape[1:])
    transform = Transform(affine=breathing.affine, displacement_mm=displacement, grid=grid)
    index = np.random.default_rng(0).uniform(-2, 1.2 * np.array(grid.shape), (12_000, 3))
    index[:9] = index[:9].round()
    points = grid.to_world(index)
    found, expected = both(monkeypatch, lambda: transform_points(transform, points))
    assert np.ptp(found - points) > 20
    np.testing.assert_array_equal(found, expected)
