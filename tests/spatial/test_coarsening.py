"""Means of blocks: closed forms, and that they stay at their place in the world."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.spatial.coarsening import block_mean, block_sizes
from lungreg.spatial.geometry import Grid

OBLIQUE = np.array(
    [[0.8, -0.9, 0.0, 5.0], [0.6, 1.2, 0.1, -7.0], [0.0, 0.1, 3.0, 11.0], [0.0, 0.0, 0.0, 1.0]]
)


def test_equals_reshape():
    """Where the blocks divide the volume the mean is NumPy's."""
    volume = np.random.default_rng(0).normal(size=(6, 4, 9))
    mean, _ = block_mean(volume, Grid(shape=volume.shape, affine=OBLIQUE), (2, 1, 3))
    expected = volume.reshape(3, 2, 4, 1, 3, 3).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    assert mean.dtype == np.float32


def test_stays_in_place():
    """A linear function of the world keeps its values at the coarse voxels' own places."""
    grid = Grid(shape=(8, 6, 4), affine=OBLIQUE)
    index = np.indices(grid.shape).reshape(3, -1).T.astype(float)
    slope = np.array([0.3, -1.1, 0.7])
    mean, coarse = block_mean((grid.to_world(index) @ slope).reshape(grid.shape), grid, (4, 3, 2))
    places = coarse.to_world(np.indices(coarse.shape).reshape(3, -1).T.astype(float))
    np.testing.assert_allclose(mean.ravel(), places @ slope, atol=1e-4)


def test_last_block_is_filled():
    """Where the blocks do not divide, the last voxels repeat and the coarse grid covers all."""
    volume = np.arange(5, dtype=np.int16).reshape(5, 1, 1)
    mean, coarse = block_mean(volume, Grid(shape=(5, 1, 1), affine=np.eye(4)), (2, 1, 1))
    np.testing.assert_allclose(mean.ravel(), [0.5, 2.5, 4.0])
    assert coarse.shape == (3, 1, 1)


@pytest.mark.parametrize("blocks", [(1, 1, 1), (2, 3, 2), (3, 1, 4), (16, 16, 16)])
@pytest.mark.parametrize("form", ["values", "mask", "reversed", "as in a file"])
def test_compiled_is_the_same(monkeypatch, blocks, form):
    """One compiled pass has the values of NumPy's, whatever the order in memory."""
    values = np.random.default_rng(1).normal(-500, 400, (11, 7, 9)).astype(np.float32)
    volume = {
        "values": values,
        "mask": values > -500,
        "reversed": values[::-1],
        "as in a file": np.asfortranarray(values),
    }[form]
    grid = Grid(shape=volume.shape, affine=OBLIQUE)
    compiled, _ = block_mean(volume, grid, blocks)
    monkeypatch.setattr("lungreg.spatial.threads.has_numba", lambda: False)
    plain, _ = block_mean(volume, grid, blocks)
    np.testing.assert_array_equal(compiled, plain)
    assert compiled.dtype == plain.dtype == np.float32


@pytest.mark.parametrize(
    ("spacing_mm", "blocks"), [(0.2, (1, 1, 1)), (3.0, (3, 2, 1)), (9, (9, 6, 3))]
)
def test_block_sizes(spacing_mm, blocks):
    """Blocks are as near to the spacing as whole voxels come, at least one."""
    assert block_sizes(Grid(shape=(9, 9, 9), affine=OBLIQUE), spacing_mm) == blocks
