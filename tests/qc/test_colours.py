"""Colour ramps at their ends and in between."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.qc.colours import DIFFERENCE, DIVERGING, FOLDED, LENGTH, Ramp, grey

RAMPS = [DIFFERENCE, DIVERGING, LENGTH]


def test_ramp_ends_and_middle():
    """A ramp paints 0, 1 and what lies beyond with its end colours, and is linear in between."""
    ramp = Ramp(("#000000", "#ff8000"))
    painted = ramp.paint(np.array([-1.0, 0.0, 0.5, 1.0, 7.0]))
    np.testing.assert_array_equal(painted[[0, 1, 3, 4]], [[0, 0, 0]] * 2 + [[255, 128, 0]] * 2)
    np.testing.assert_allclose(painted[2], [128, 64, 0], atol=1)


@pytest.mark.parametrize("ramp", RAMPS)
def test_fold_colour_is_in_no_ramp(ramp):
    """A folded voxel cannot be taken for any value of a map."""
    shades = ramp.paint(np.linspace(0.0, 1.0, 256)).astype(int)
    assert np.linalg.norm(shades - np.array(FOLDED), axis=-1).min() > 60


def test_diverging_ramp_is_lightest_in_the_middle():
    """The neutral value of a diverging map is its lightest colour."""
    assert DIVERGING.paint(np.linspace(0.0, 1.0, 101)).sum(axis=-1).argmax() == 50


def test_grey_clips_and_takes_nan_for_black():
    """Grey levels stay within a byte whatever comes in."""
    np.testing.assert_array_equal(
        grey(np.array([-3.0, 0.0, 1.0, 9.0, np.nan])), [0, 0, 255, 255, 0]
    )


def test_css_names_every_anchor():
    """A legend shows the colours of the map it stands beside."""
    assert all(anchor in DIFFERENCE.css for anchor in DIFFERENCE.anchors)
