"""Greedy's displacement is read as it is meant. Runs in the environment of `nox -s bench`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import Stored, encode_volume
from lungreg.spatial.geometry import Grid
from tests.benchmarks.tools import greedy
from tests.grids import oblique_grid

pytest.importorskip("picsl_greedy")

SHIFT_RAS_MM = np.array([4.0, -7.0, 5.0])
GRID = oblique_grid((40, 36, 32), spacing_mm=(3.0, 2.5, 3.5), centre_ras=(10.0, -20.0, 300.0))


def test_a_shift_comes_back_in_direction_and_length(tmp_path: Path) -> None:
    """A moving scan whose tissue lies 10 mm away gives that displacement, on an oblique grid."""
    write(tmp_path / "fixed.nii.gz", GRID)
    affine = np.array(GRID.affine)
    affine[:3, 3] -= SHIFT_RAS_MM
    write(tmp_path / "moving.nii.gz", GRID, shown=Grid(shape=GRID.shape, affine=affine))
    greedy(tmp_path, tmp_path)
    found, grid = decode_displacement((tmp_path / "field.nii.gz").read_bytes())
    assert grid.same_as(GRID, tolerance_mm=0.01)
    middle = found[:, 8:-8, 8:-8, 8:-8].reshape(3, -1)
    assert np.abs(np.median(middle, axis=1) - SHIFT_RAS_MM).max() < 0.3


def write(path: Path, grid: Grid, *, shown: Grid | None = None) -> None:
    """A scan of random blobs of the world, at the places of another grid if one is given."""
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((60,) * 3), 1.5)
    world = Grid(shape=(60, 60, 60), affine=np.diag([4.0, 4.0, 4.0, 1.0]))
    places = (shown or grid).to_world(np.indices(grid.shape, dtype=np.float64).reshape(3, -1).T)
    at = world.to_voxel(places - grid.centre_ras + world.centre_ras)
    values = ndimage.map_coordinates(blobs, at.T, order=3).reshape(grid.shape)
    values = (1000 * values / blobs.std()).astype(np.float32)
    path.write_bytes(encode_volume(values, grid, Stored(dtype="float32")))
