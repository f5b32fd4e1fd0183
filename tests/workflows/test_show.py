"""Show: the figure of a registered case is that of the run, whatever the caller's configuration."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import lungreg
from lungreg.errors import NotFoundError
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
    """What the figure shows as the coronal slice's difference before registration, HU."""
    figure = lungreg.show(row, trained.config(*overrides))
    return np.asarray(figure.axes[2].images[0].get_array())


def test_before_is_through_the_alignment_of_the_run(trained: Site, shown_row: CaseResult) -> None:
    """The moving scan before registration lies where the run's own initial alignment puts it."""
    stage = trained.backend().stage
    pair = read_pair(stage, read_cases(stage, [shown_row.case_id])[0])
    names = RunNames(shown_row.run_id).case(shown_row.case_id)
    affine = read_registration(stage, names).transform.affine
    assert not np.allclose(affine, np.eye(4), atol=1e-3)
    grids = (pair.moving.grid, pair.fixed.grid)
    fixed, aligned, unaligned = (
        np.clip(hu, -1000, 500)
        for hu in (
            pair.fixed_hu,
            *(
                resample(pair.moving_hu, *grids, matrix, outside_value=-1000.0).values
                for matrix in (affine, np.eye(4))
            ),
        )
    )
    picture = before_picture(trained, shown_row)
    assert distance_hu(picture, np.abs(fixed - aligned)) < 1
    assert distance_hu(picture, np.abs(fixed - unaligned)) > 50


def test_an_ingested_case_is_shown_where_its_headers_place_it(trained: Site) -> None:
    """Before anything is registered: no alignment, the moving scan on the fixed one's grid."""
    stage, config = trained.backend().stage, trained.config()
    row = next(row for row in lungreg.ingest(config).rows if row.case_id == CASES[5])
    figure = lungreg.show(row, config)
    assert [axis.get_title() for axis in figure.axes[:3]] == [
        *("fixed: breathing out", "moving: breathing in", "difference"),
    ]
    pair = read_pair(stage, read_cases(stage, [row.case_id])[0])
    grids = (pair.moving.grid, pair.fixed.grid)
    moving = resample(pair.moving_hu, *grids, np.eye(4), outside_value=-1000.0).values
    expected = np.abs(np.clip(pair.fixed_hu, -1000, 500) - np.clip(moving, -1000, 500))
    assert distance_hu(np.asarray(figure.axes[2].images[0].get_array()), expected) < 1


def distance_hu(picture: NDArray[np.float32], volume: NDArray[np.float32]) -> float:
    """Largest difference of a picture to the part of a coronal slice that is most like it.

    The figure crops the slice around the lungs and turns it head up.
    """
    found = []
    for flip_x, flip_z in itertools.product((1, -1), repeat=2):
        slices = volume[::flip_x, :, ::flip_z].transpose(1, 2, 0)
        windows = np.lib.stride_tricks.sliding_window_view(slices, picture.shape, axis=(1, 2))
        found.append(np.abs(windows - picture).max(axis=(-2, -1)).min())
    return float(min(found))


def test_the_callers_configuration_changes_no_picture(trained: Site, shown_row: CaseResult) -> None:
    """Alignment and intensity window come from the run, not from the file at hand."""
    expected = before_picture(trained, shown_row)
    other = ("preprocessing.alignment=world", "preprocessing.hu_window=[-500, 500]")
    np.testing.assert_array_equal(before_picture(trained, shown_row, *other), expected)


@pytest.mark.parametrize("given", ["report", "its result"])
def test_what_register_returns_needs_no_configuration(
    small_pair: lungreg.PairFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Nor the folder that it was made in; the title names the scan."""
    monkeypatch.chdir(tmp_path)
    done = lungreg.register(small_pair, "out", refine=False, alignment="world", device="cpu")
    monkeypatch.chdir("/")
    figure = lungreg.show(done if given == "report" else done.result)
    assert str(figure.get_suptitle()).startswith("exp_17.nii.gz: ")
    assert figure.axes[1].get_title() == "moving, registered"


def test_a_folder_that_was_emptied_cannot_be_shown(
    small_pair: lungreg.PairFiles, tmp_path: Path
) -> None:
    """It says what to do."""
    done = lungreg.register(small_pair, tmp_path / "out", refine=False, alignment="world")
    (tmp_path / "out" / "inputs.json").unlink()
    with pytest.raises(NotFoundError, match="register the pair again"):
        lungreg.show(done)
