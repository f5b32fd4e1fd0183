"""Slices that are missing or written twice are told, in whatever order a file stores its axes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.formats.volumes import Stored, Volume
from lungreg.sources.slice_checks import check_slices
from lungreg.spatial.geometry import Grid

SHAPE = (20, 18, 12)


def noise(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(-500, 300, SHAPE).astype(np.float32)


def scan(data: NDArray[np.float32], order: tuple[int, int, int] = (0, 1, 2)) -> Volume:
    """Left to right, back to front, feet to head; stored in another order of axes."""
    stored = np.ascontiguousarray(data.transpose(order))
    affine = np.eye(4)
    affine[:3, :3] = np.diag([1.5, 1.5, 2.0])[:, list(order)]
    grid = Grid(shape=stored.shape, affine=affine)
    return Volume(data=stored, grid=grid, stored=Stored(dtype="int16"))


def test_a_whole_scan_is_not_warned_of() -> None:
    """Nor one that is padded at its ends, or blank around the body or in a corner."""
    data = noise()
    data[..., :2] = data[..., -3:] = -1000
    data[:4] = data[:, :4] = -1000
    assert check_slices("fixed", scan(data)) == ()
    # Slices that are alike where they are compared first.
    data[::5, ::5] = -1000
    assert check_slices("fixed", scan(data)) == ()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_slice_in_the_place_of_others_is_told(order: tuple[int, int, int]) -> None:
    """As where three were lost and the last good one was repeated."""
    data = noise()
    data[..., 5:8] = data[..., 4:5]
    (warning,) = check_slices("moving", scan(data, order))
    assert str(warning) == (
        "repeated_slices: in the moving scan 3 of 12 slices repeat the one before: were slices "
        "written twice, or in the place of others?"
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_empty_slices_within_a_scan_are_told(order: tuple[int, int, int]) -> None:
    """Not those at its ends, and not as repeated ones."""
    data = noise()
    data[..., 5:9] = data[..., -1:] = -1024
    (warning,) = check_slices("fixed", scan(data, order))
    assert str(warning) == (
        "empty_slices: within the fixed scan 4 of 12 slices hold one value: are some missing?"
    )
