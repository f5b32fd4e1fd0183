"""How soft the lower edge of the lungs is, on boxes of lung whose edge is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.registration.lower_edge import edge_width_mm, lower_edge_mm
from lungreg.spatial.geometry import Grid
from tests.registration.refinement.breathing_pairs import as_pair, simulated

SHAPE, SLICE_MM = (30, 30, 75), 2.0
GRID = Grid(shape=SHAPE, affine=np.diag([3.0, 3.0, SLICE_MM, 1.0]))
BASE = 30
"""The lowest slice of the lungs."""
_Scan = tuple[NDArray[np.float32], NDArray[np.bool_]]


def box(breath_mm: float = 0.0, *, noise_hu: float = 0.0) -> _Scan:
    """A scan of lung in soft tissue, an average over a breath along the body, and its lungs."""
    lungs = np.zeros(SHAPE, dtype=bool)
    lungs[4:-4, 4:-4, BASE:-3] = True
    hu = np.where(lungs, -850.0, 40.0)
    if breath_mm:
        hu = ndimage.uniform_filter1d(hu, round(breath_mm / SLICE_MM), axis=2)
    noise = np.random.default_rng(3).normal(0, 1, SHAPE)
    return np.asarray(hu + noise_hu * noise, dtype=np.float32), lungs


@pytest.mark.parametrize("noise_hu", [0.0, 60.0])
def test_a_held_breath_leaves_an_edge_of_one_slice(noise_hu: float) -> None:
    """Whatever the noise."""
    assert edge_width_mm(*_placed(box(noise_hu=noise_hu), GRID)) == pytest.approx(0.0, abs=1.1)


@pytest.mark.parametrize("noise_hu", [0.0, 60.0])
@pytest.mark.parametrize("breath_mm", [14.0, 30.0])
def test_a_breath_softens_it_by_its_length(breath_mm: float, noise_hu: float) -> None:
    """Three fifths of the way lie between a fifth and four fifths of the step."""
    found = edge_width_mm(*_placed(box(breath_mm, noise_hu=noise_hu), GRID))
    assert found == pytest.approx(0.6 * breath_mm - SLICE_MM, abs=2.0)


@pytest.mark.parametrize("flipped", [True, False])
def test_axes_may_run_any_way(flipped: bool) -> None:
    """The body along the first one, from head to feet or from feet to head."""
    affine = np.eye(4)
    affine[:3, :3] = [[0, 3.0, 0], [0, 0, 3.0], [-SLICE_MM if flipped else SLICE_MM, 0, 0]]
    hu, lungs = box(30.0)
    order, step = (2, 0, 1), -1 if flipped else 1
    grid = Grid(shape=(75, 30, 30), affine=affine)
    there = edge_width_mm(hu.transpose(order)[::step], grid, lungs.transpose(order)[::step])
    assert there == pytest.approx(edge_width_mm(*_placed(box(30.0), GRID)))


def test_an_edge_that_is_not_shown_is_not_known() -> None:
    """Where the scan ends above it, or no lungs were found."""
    hu, lungs = box(30.0)
    above = slice(BASE + 2, None)
    shown = Grid(shape=(30, 30, 75 - above.start), affine=GRID.affine)
    assert edge_width_mm(hu[..., above], shown, lungs[..., above]) is None
    assert edge_width_mm(hu, GRID, None) is None


def test_the_wider_edge_of_a_pair_counts() -> None:
    """Both of the simulated one are sharp; that of one scan is not, drawn out along the body."""
    pair = as_pair(simulated())
    assert (lower_edge_mm(pair) or np.inf) < 4.0
    axis = pair.moving.grid.axis_along(2)
    count = round(30.0 / float(pair.moving.grid.spacing_mm[axis]))
    drawn_out = ndimage.uniform_filter1d(pair.moving.data, count, axis=axis)
    breathing = replace(pair, moving=replace(pair.moving, data=drawn_out))
    assert (lower_edge_mm(breathing) or 0.0) > 8.0


def _placed(scan: _Scan, grid: Grid) -> tuple[NDArray[np.float32], Grid, NDArray[np.bool_]]:
    return scan[0], grid, scan[1]
