"""Coarse scans: what they show, and how they look through an affine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lungreg.registration.alignment.coarse import IMAGE, LUNGS, SHOWN, coarse, coarser
from lungreg.registration.alignment.scan import make_scan
from lungreg.spatial.geometry import Grid
from tests.registration.alignment.chests import SPACING_MM, box_scan


def test_through_nothing_on_its_own_grid() -> None:
    """Under the identity a scan looks as it is."""
    scan = coarse(make_scan(*box_scan()), 12.0)
    torch.testing.assert_close(scan.through(np.eye(4), scan.grid), scan.channels)


def test_through_a_shift_along_its_axes() -> None:
    """A shift by one voxel shows the neighbour, and nothing beyond the scan."""
    scan = coarse(make_scan(*box_scan()), 12.0)
    shift = np.eye(4)
    shift[:3, 3] = scan.grid.affine[:3, 1]
    seen = scan.through(shift, scan.grid)
    torch.testing.assert_close(seen[:, :, :-1], scan.channels[:, :, 1:], atol=1e-4, rtol=0)
    assert not seen[:, :, -1].any()


def test_padding_is_not_shown() -> None:
    """Outer slices of one value show nothing; all others do."""
    image, grid, mask = box_scan()
    image[..., :24] = 0.0
    shown = coarse(make_scan(image, grid, mask), 20.0).channels[SHOWN]
    assert not shown[..., :6].any()
    assert shown[..., 6:].all()


def test_lungs() -> None:
    """The points are those that are mostly lung; a scan without lungs has none."""
    image, grid, mask = box_scan()
    scan = coarse(make_scan(image, grid, mask), 5.0)
    points = scan.lung_points_ras
    volume_mm3 = mask.sum() * np.prod(SPACING_MM)
    assert len(points) * scan.grid.voxel_volume_mm3 == pytest.approx(volume_mm3, rel=0.05)
    inside = np.rint(grid.to_voxel(points)).astype(int)
    assert mask[tuple(inside.T)].mean() > 0.9
    bare = coarse(make_scan(image, grid, None), 5.0)
    assert bare.lung_points_ras.shape == (0, 3)
    assert not bare.channels[LUNGS].any()


def test_coarser_is_the_mean() -> None:
    """Blocks of blocks are blocks: means stay, and the box stays."""
    rng = np.random.default_rng(1)
    grid = Grid(shape=(8, 8, 8), affine=np.diag([4.0, 4.0, 4.0, 1.0]))
    scan = coarse(make_scan(rng.random((8, 8, 8), dtype=np.float32), grid, None), 4.0)
    small = coarser(scan, 8.0)
    assert small.grid.shape == (4, 4, 4)
    expected = scan.channels[IMAGE].reshape(4, 2, 4, 2, 4, 2).mean(dim=(1, 3, 5))
    torch.testing.assert_close(small.channels[IMAGE], expected)
    np.testing.assert_allclose(small.grid.centre_ras, grid.centre_ras)
