"""Slabs of arrays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungreg.spatial.slabs import slabs


@given(shape=st.lists(st.integers(1, 30), min_size=1, max_size=4), at_once=st.integers(1, 2000))
def test_slabs_cover_the_first_axis_once(shape: list[int], at_once: int) -> None:
    """One after the other, without a gap; as large as allowed, but at least one index."""
    found = list(slabs(shape, at_once))
    assert [index for start, stop in found for index in range(start, stop)] == [*range(shape[0])]
    plane = 1
    for size in shape[1:]:
        plane *= size
    assert all((stop - start) * plane <= max(at_once, plane) for start, stop in found)
    assert all((stop - start + 1) * plane > at_once for start, stop in found[:-1])


@pytest.mark.parametrize("shape", [(0,), (0, 7)])
def test_an_empty_array_has_no_slab(shape: tuple[int, ...]) -> None:
    """Nothing is computed for no points."""
    assert list(slabs(shape, 5)) == []
