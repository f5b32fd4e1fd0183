"""Outlines of masks as SVG paths, in mm."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.qc.outlines import level_lines, mask_outline
from tests.qc.phantom import polylines


def area_mm2(line: np.ndarray) -> float:
    x, y = line.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def test_outline_of_a_disc_encloses_its_area():
    """An outline lies where the mask ends, in mm, also with anisotropic pixels."""
    pixel_mm = 1.0, 2.5
    y, x = (np.arange(n) + 0.5 for n in (120, 60))
    disc = np.hypot((y * pixel_mm[0] - 60)[:, None], (x * pixel_mm[1] - 70)[None]) < 40
    (line,) = polylines(mask_outline(disc, pixel_mm))
    assert area_mm2(line) == pytest.approx(np.pi * 40**2, rel=0.02)
    np.testing.assert_allclose((line.min(axis=0) + line.max(axis=0)) / 2, [70, 60], atol=1.3)
    np.testing.assert_allclose(np.ptp(line, axis=0), [80, 80], atol=2.6)


def test_closed_outlines_are_closed_and_cut_ones_stay_open():
    """Where the scan ends the lung does not, so its outline draws no edge there."""
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:15, 5:15] = True
    assert mask_outline(mask, (1.0, 1.0)).endswith("z")
    mask[5:, 5:15] = True
    assert not mask_outline(mask, (1.0, 1.0)).endswith("z")


def test_straight_runs_are_one_step():
    """A border of 200 voxels along an axis costs a corner, not 200 steps."""
    mask = np.zeros((300, 300), dtype=bool)
    mask[50:250, 50:250] = True
    (line,) = polylines(mask_outline(mask, (0.7, 0.7)))
    assert len(line) <= 10


@pytest.mark.parametrize("mask", [np.zeros((8, 8)), np.ones((8, 8)), np.ones((1, 8))])
def test_nothing_to_outline(mask):
    """An empty slice, a full one and one of a single row have no outline."""
    assert mask_outline(mask, (1.0, 1.0)) == ""


def test_level_lines_lie_on_their_level():
    """Along a line the field has the line's value."""
    rows, columns = np.arange(40) * 2.0 + 1.0, np.arange(50) * 3.0 + 1.5
    field = rows[:, None] * 0.5 + columns[None]
    for line in polylines(level_lines(field, [40.0, 90.0], rows, columns)):
        values = line[:, 1] * 0.5 + line[:, 0]
        np.testing.assert_allclose(values, values.round(-1), atol=0.1)
