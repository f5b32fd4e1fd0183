"""Compiled interpolation and differentiation: the values of PyTorch's operations, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lungreg.spatial.displacement import (
    dense_displacement,
    jacobian_determinant,
    resample,
    transform_points,
)
from lungreg.spatial.geometry import Grid, Transform
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
    np.testing.assert_array_equal(found, expected)
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
