"""The figure of one case for a notebook."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lungreg.qc.figure import case_figure
from tests.qc.phantom import phantom_case, phantom_result


@pytest.mark.parametrize("masks", [True, False])
def test_figure_shows_three_views_of_four_pictures(masks):
    """Coronal, sagittal, axial by fixed, registered, difference before and after, in mm."""
    figure = case_figure(phantom_case(masks=masks), phantom_result("a$b_1", dice_score=0.9))
    *pictures, bar = figure.axes
    assert [axis.get_title() for axis in pictures[:4]] == [
        "fixed",
        "moving, registered",
        "difference before",
        "difference after",
    ]
    names = [pictures[row].get_ylabel().split()[0] for row in (0, 4, 8)]
    assert len(pictures) == 12
    assert names == ["Coronal", "Sagittal", "Axial"]
    assert figure.get_suptitle() == "a$b_1: pass, Dice 0.900"
    assert all(axis.get_aspect() == 1.0 for axis in pictures)
    assert (bar.get_ylabel(), bar.get_ylim()) == ("absolute difference, HU", (0.0, 500.0))


def test_figure_shows_itself_without_pyplot():
    """A notebook gets a PNG, and no figure is left open behind its back."""
    opened = plt.get_fignums()
    assert case_figure(phantom_case())._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == opened


def test_the_pictures_are_the_arrays_they_say():
    """Differences are those of the two scans shown, in HU; registration makes them smaller."""
    case = phantom_case()
    figure = case_figure(case)
    fixed, warped, before, after = (
        np.asarray(figure.axes[k].images[0].get_array()) for k in range(4)
    )
    shown_hu = (np.minimum(fixed, 1) - np.minimum(warped, 1)) * 1150
    dark = (fixed < 1) & (warped < 1)
    np.testing.assert_allclose(after[dark], np.abs(shown_hu)[dark], atol=0.1)
    assert after.mean() < 0.5 * before.mean()
