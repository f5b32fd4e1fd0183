"""Copies into another order in memory: NumPy's own values, types and order."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.formats.memory_order import c_ordered, fortran_ordered, slabs_of_rows

SHAPES = [(5, 7, 3), (64, 200, 90), (2, 2, 2), (3, 4, 5, 1, 3), (6, 1, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F", "reversed"])
def test_order_and_values(shape, order):
    """Both copies hold the values, one with the last and one with the first axis densest."""
    values = np.random.default_rng(0).integers(-2000, 3000, shape).astype(np.int16)
    given = values[::-1, ::-1] if order == "reversed" else np.asarray(values, order=order)
    for found in (c_ordered(given), fortran_ordered(given)):
        np.testing.assert_array_equal(found, given)
        assert found.dtype == given.dtype
    assert c_ordered(given).flags.c_contiguous
    assert fortran_ordered(given).flags.f_contiguous


@pytest.mark.parametrize("stored", [">i2", "<f8", "u1"])
def test_type(stored):
    """Values are converted as NumPy converts them."""
    values = np.asfortranarray(np.random.default_rng(1).uniform(0, 250, (9, 8, 7))).astype(stored)
    found = c_ordered(values, np.float32)
    np.testing.assert_array_equal(found, values.astype(np.float32))
    assert found.dtype == np.float32


def test_copy_or_itself():
    """What is meant to be changed afterwards is a copy; what is only written need not be."""
    values = np.zeros((4, 5, 6))
    assert not np.shares_memory(c_ordered(values), values)
    there = np.asfortranarray(values)
    assert fortran_ordered(there) is there


@pytest.mark.parametrize("shape", [*SHAPES, (2000, 3, 2000), (4, 0, 4)])
def test_slabs_hold_each_row_once(shape):
    """Together they are the whole second axis, in order."""
    rows = np.arange(shape[1])
    taken = [rows[part] for _, part in slabs_of_rows(shape)]
    np.testing.assert_array_equal(np.concatenate([rows[:0], *taken]), rows)
