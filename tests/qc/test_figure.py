"""The figure of one case for a notebook."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lungreg.qc.figure import case_figure
from tests.qc.phantom import phantom_case, phantom_result


@pytest.mark.parametrize("masks", [True, False])
def test_figure_shows_three_views_of_three_pictures(masks):
    """The figure is coronal, sagittal, axial by before, after, difference, in mm."""
    figure = case_figure(phantom_case(masks=masks), phantom_result("a$b_1", dice_score=0.9))
    assert len(figure.axes) == 9
    assert [axis.get_title() for axis in figure.axes[:3]] == ["before", "after", "difference after"]
    names = [figure.axes[row].get_ylabel().split()[0] for row in (0, 3, 6)]
    assert names == ["Coronal", "Sagittal", "Axial"]
    assert figure.get_suptitle() == "a$b_1: pass, Dice 0.900"
    assert all(axis.get_aspect() == 1.0 for axis in figure.axes)


def test_figure_shows_itself_without_pyplot():
    """A notebook gets a PNG, and no figure is left open behind its back."""
    opened = plt.get_fignums()
    assert case_figure(phantom_case())._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == opened


def test_before_is_aligned_and_after_is_warped():
    """The pictures are the arrays they say: the one after is closer to the fixed scan."""
    case = phantom_case()
    figure = case_figure(case)
    before, after = (figure.axes[k].images[0].get_array() for k in (0, 1))
    plain = [np.asarray(picture) for picture in (before, after)]
    assert np.abs(plain[0] - plain[1]).max() > 0.3
