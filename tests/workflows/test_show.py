"""Show: the figure of a registered case is that of the run, whatever the caller's configuration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

import lungreg
from lungreg.records import CaseResult
from lungreg.registration.outputs import read_registration
from lungreg.registration.pair import read_pair
from lungreg.spatial.displacement import resample
from lungreg.stores.manifest import read_cases
from lungreg.stores.names import RunNames
from tests.site import CASES, Site


@pytest.fixture
def shown_row(trained: Site) -> CaseResult:
    """A case registered with an alignment that neither model nor default would choose."""
    config = trained.config("infer.alignment=grid", f"infer.cases=[{CASES[5]}]")
    return lungreg.infer(config).results[0]


def before_picture(trained: Site, row: CaseResult, *overrides: str) -> NDArray[np.float32]:
    """What the figure shows as the coronal slice before registration."""
    figure = lungreg.show(row, trained.config(*overrides))
    return np.asarray(figure.axes[0].images[0].get_array())


def test_before_is_through_the_alignment_of_the_run(trained: Site, shown_row: CaseResult) -> None:
    """The moving scan before registration lies where the run's own initial alignment puts it."""
    stage = trained.backend().stage
    pair = read_pair(stage, read_cases(stage, [shown_row.case_id])[0])
    names = RunNames(shown_row.run_id).case(shown_row.case_id)
    affine = read_registration(stage, names).transform.affine
    assert not np.allclose(affine, np.eye(4), atol=1e-3)
    grids = (pair.moving.grid, pair.fixed.grid)
    hu, unaligned = (
        resample(pair.moving_hu, *grids, matrix, outside_value=-1000.0).values
        for matrix in (affine, np.eye(4))
    )
    picture = before_picture(trained, shown_row)
    assert distance(picture, hu) < 1e-3
    assert distance(picture, unaligned) > 0.05


def distance(picture: NDArray[np.float32], hu: NDArray[np.float32]) -> float:
    """Largest grey difference of a picture to the part of a coronal slice that is most like it.

    The figure crops the slice around the lungs, shows 150 HU as white, and turns it head up.
    """
    found = []
    for flip_x, flip_z in itertools.product((1, -1), repeat=2):
        shades = np.clip((hu[::flip_x, :, ::flip_z] + 1000) / 1150, 0, 1500 / 1150)
        slices = shades.transpose(1, 2, 0)
        windows = np.lib.stride_tricks.sliding_window_view(slices, picture.shape, axis=(1, 2))
        found.append(np.abs(windows - picture).max(axis=(-2, -1)).min())
    return float(min(found))


def test_the_callers_configuration_changes_no_picture(trained: Site, shown_row: CaseResult) -> None:
    """Alignment and intensity window come from the run, not from the file at hand."""
    expected = before_picture(trained, shown_row)
    other = ("preprocessing.alignment=world", "preprocessing.hu_window=[-500, 500]")
    np.testing.assert_array_equal(before_picture(trained, shown_row, *other), expected)
