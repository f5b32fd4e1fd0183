from __future__ import annotations

import numpy as np
import pytest

from tests.varied import WRONG, make_varied, make_wrong
from tests.varied.test_pairs import alike, at, near_lungs

MAPPED = [kind for kind in WRONG if kind not in ("other_patient", "no_lungs")]


@pytest.mark.parametrize("kind", MAPPED)
def test_the_truth_follows_what_was_done_to_the_pair(kind: str) -> None:
    """Also of a wrong input, the moving scan at T(x) is like the fixed scan at x."""
    case = make_wrong(kind, "small", 1)
    points = near_lungs(case)
    moved, grid = case.true_moving(points), case.pair.moving.grid
    inside = grid.contains(moved)
    shown = at(case.pair.fixed_hu, case.pair.fixed.grid, points)
    assert alike(shown, at(case.pair.moving_hu, grid, moved), inside) > 0.75
    assert case.trouble == kind


def test_exchanged_scans_have_the_inverse_truth() -> None:
    """There and back is where it began, to a hundredth of a mm."""
    plain, case = make_varied("small", "none", 1), make_wrong("exchanged", "small", 1)
    assert np.array_equal(case.pair.fixed.data, plain.pair.moving.data)
    back = case.true_moving(plain.true_moving(plain.landmarks_ras))
    assert np.linalg.norm(back - plain.landmarks_ras, axis=1).max() < 0.01


@pytest.mark.parametrize("kind", ["other_patient", "no_lungs"])
def test_what_shows_other_tissue_has_no_truth(kind: str) -> None:
    """An error cannot be asked for."""
    case = make_wrong(kind, "small", 1)
    assert case.truth is None
    with pytest.raises(ValueError, match="no true transform"):
        case.true_moving(case.landmarks_ras)


def test_a_scan_with_itself_shows_the_same_twice() -> None:
    """Its truth is the identity."""
    case = make_wrong("same_scan", "small", 1)
    assert np.array_equal(case.pair.fixed.data, case.pair.moving.data)
    assert np.array_equal(case.true_moving(case.landmarks_ras), case.landmarks_ras)


def test_slices_are_told_twice_as_thick() -> None:
    """The header alone changes."""
    plain, case = make_varied("small", "none", 1), make_wrong("spacing_z_double", "small", 1)
    ratio = case.pair.moving.grid.spacing_mm / plain.pair.moving.grid.spacing_mm
    assert np.allclose(ratio, (1, 1, 2))
    assert np.array_equal(case.pair.moving.data, plain.pair.moving.data)


def test_a_mirrored_scan_keeps_its_header() -> None:
    """Its voxels are those of the right one in the other order."""
    plain, case = make_varied("small", "none", 1), make_wrong("mirrored_lr", "small", 1)
    assert case.pair.moving.grid.same_as(plain.pair.moving.grid)
    assert np.array_equal(case.pair.moving.data[::-1], plain.pair.moving.data)
