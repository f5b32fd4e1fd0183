"""Displacements are rounded to far less than anybody measures, and are shorter for it."""

from __future__ import annotations

import numpy as np

from lungreg.formats.transforms import decode_displacement, encode_displacement
from lungreg.formats.transforms.rounding import STEP_MM, rounded
from lungreg.spatial.geometry import Grid


def test_nothing_moves_by_more_than_half_a_step() -> None:
    """Of displacements as large as a chest; multiples stay, NaN stays."""
    values = np.random.default_rng(0).normal(0, 100, 10_000).astype(np.float32)
    assert np.abs(rounded(values) - values).max() <= STEP_MM / 2
    np.testing.assert_array_equal(rounded(rounded(values)), rounded(values))
    assert np.isnan(rounded(np.array([np.nan], dtype=np.float32))).all()


def test_files_are_shorter() -> None:
    """Of a smooth field, by a third at least; what is read is what was rounded."""
    grid = Grid(shape=(40, 40, 40), affine=np.eye(4))
    x, y, z = np.meshgrid(*[np.linspace(0, 3, 40)] * 3, indexing="ij")
    field = 20 * np.stack([np.sin(x + y), np.cos(y - z), np.sin(z * x)]).astype(np.float32)
    data = encode_displacement(field, grid)
    found, _ = decode_displacement(data)
    np.testing.assert_allclose(found, field, atol=STEP_MM / 2 + 1e-5)
    assert len(data) < 0.67 * field.nbytes
