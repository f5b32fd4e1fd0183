"""Boxes around masks."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.spatial.geometry import Grid
from lungreg.spatial.mask_box import in_mask, is_cut_off, line_ends, mask_box, some_voxels

MASK = np.zeros((9, 8, 7), dtype=bool)
MASK[2, 5, 1] = MASK[4, 3, 6] = True


@pytest.mark.parametrize("most", [1, 2, 100, 503, 504, 9999])
def test_some_voxels_are_spread_over_all(most: int) -> None:
    """Never more than asked for, each of the mask, in order and evenly; all where they are few."""
    everything = np.ones(MASK.shape, dtype=bool)
    found = some_voxels(everything, most)
    assert 0.5 * min(most, MASK.size) <= len(found) <= most
    flat = np.ravel_multi_index(found.astype(int).T, MASK.shape)
    assert len(set(np.diff(flat))) <= 1
    np.testing.assert_array_equal(some_voxels(MASK, most)[0], [2, 5, 1])
    assert some_voxels(~everything, most).shape == (0, 3)


def test_the_ends_of_lines_are_the_extent_in_every_direction() -> None:
    """As far as any voxel of random masks goes, along 40 random directions."""
    rng = np.random.default_rng(1)
    for share in (0.003, 0.05, 0.5):
        mask = (rng.random((13, 11, 9)) < share).astype(np.uint8) * 3
        mask[2, 5, 1] = 1
        directions = rng.normal(size=(3, 40))
        everywhere, ends = np.argwhere(mask) @ directions, line_ends(mask) @ directions
        np.testing.assert_allclose(ends.min(axis=0), everywhere.min(axis=0))
        np.testing.assert_allclose(ends.max(axis=0), everywhere.max(axis=0))
        assert all(mask[tuple(voxel)] for voxel in line_ends(mask).astype(int))


def test_points_lie_in_the_nearest_voxels() -> None:
    """Half a voxel around the centres that are set, nowhere beyond the grid; None is all of it."""
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = (-50, 10, 5)
    grid = Grid(shape=(9, 8, 7), affine=affine)
    centres = grid.to_world([[2, 5, 1], [4, 3, 6], [4, 4, 4], [-1, 0, 0], [8, 7, 6], [8, 7, 6.6]])
    assert in_mask(centres, MASK, grid).tolist() == [True, True, False, False, False, False]
    assert in_mask(centres + 0.9, MASK, grid).tolist() == [True, True, False, False, False, False]
    assert in_mask(centres, None, grid).tolist() == [True, True, True, False, True, False]


def test_the_box_is_the_smallest_that_holds_every_voxel() -> None:
    """It has a voxel on each of its faces, and nothing lies outside."""
    box = mask_box(MASK)
    assert box == (slice(2, 5), slice(3, 6), slice(1, 7))
    assert MASK[box].sum() == MASK.sum()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_mask_has_a_box(dtype: type, order: str) -> None:
    """Truth values, labels and shares, whatever their order in memory."""
    assert mask_box(np.asarray(7 * MASK, dtype=dtype, order=order)) == mask_box(MASK)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (1, (slice(1, 6), slice(2, 7), slice(0, 7))),
        ((0, 2, 1), (slice(2, 5), slice(1, 8), slice(0, 7))),
        (99, (slice(0, 9), slice(0, 8), slice(0, 7))),
    ],
)
def test_a_margin_ends_where_the_volume_does(margin: int, expected: tuple[slice, ...]) -> None:
    """One number for all axes or one for each; a box never leaves the volume."""
    assert mask_box(MASK, margin=margin) == expected


def test_an_empty_mask_has_no_box() -> None:
    """It is refused, not taken for the whole volume."""
    with pytest.raises(DataError, match="at least one voxel, got an empty mask"):
        mask_box(np.zeros((3, 3, 3), dtype=bool))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("at", [0, -1])
def test_a_mask_that_goes_on_beyond_its_volume_is_cut_off(axis: int, at: int) -> None:
    """On any side; a voxel or two at a border may be noise."""
    mask = np.zeros((12, 14, 16), dtype=bool)
    mask[3:9, 3:9, 3:9] = True
    assert not is_cut_off(mask)
    end = [slice(4, 8)] * 3
    end[axis] = slice(None, 4) if at == 0 else slice(8, None)
    mask[5, 5, 0] = True
    assert not is_cut_off(mask)
    mask[tuple(end)] = True
    assert is_cut_off(mask)
