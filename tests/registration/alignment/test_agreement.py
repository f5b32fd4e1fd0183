"""The score of an affine: between chance and perfect, fair to cut scans."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.alignment.agreement import agreement
from lungreg.registration.alignment.coarse import coarse
from lungreg.registration.alignment.level import make_level, structures
from lungreg.registration.alignment.scan import make_scan, scans_of
from tests.registration.alignment.chests import SIZE, oblique_grid
from tests.registration.alignment.patients import HU_WINDOW, cut, patient


def level_of(whole):
    scans = [coarse(scan, 4.0) for scan in scans_of(whole.pair, HU_WINDOW)]
    return make_level(*scans, 6.0, structures)


def shift(x_mm=0.0, z_mm=0.0):
    affine = np.eye(4)
    affine[0, 3], affine[2, 3] = x_mm, z_mm
    return affine


def test_itself() -> None:
    """A scan agrees with itself fully, and less with itself shifted."""
    image = np.random.default_rng(1).random(SIZE, dtype=np.float32)
    scan = coarse(make_scan(image, oblique_grid(), None), 4.0)
    level = make_level(scan, scan, 6.0, structures)
    assert agreement(level, np.eye(4)) == pytest.approx(1.0, abs=0.01)
    assert agreement(level, shift(x_mm=12.0)) < 0.5


def test_strangers_agree_by_chance() -> None:
    """Unrelated noise scores about 0, wherever it is laid."""
    rng, grid = np.random.default_rng(2), oblique_grid()
    scans = [coarse(make_scan(rng.random(SIZE, dtype=np.float32), grid, None), 4.0) for _ in "ab"]
    level = make_level(*scans, 6.0, structures)
    for x_mm in (0.0, 15.0):
        assert abs(agreement(level, shift(x_mm=x_mm))) < 0.15


def test_apart() -> None:
    """Without overlap there is no agreement."""
    assert agreement(level_of(patient()), shift(x_mm=2000.0)) == -1.0


def test_a_cut_costs_little_and_a_false_place_much() -> None:
    """The moving scan's lower half missing: the headers still win over the box in the middle."""
    whole, half = patient(), cut(patient(), "moving", "bases", 110.0)
    level = level_of(half)
    true = agreement(level, np.eye(4))
    assert true > agreement(level_of(whole), np.eye(4)) - 0.1
    assert true > agreement(level, shift(z_mm=55.0)) + 0.1


def test_lost_overlap_costs() -> None:
    """A small overlap in which the scans agree well does not win."""
    level = level_of(patient())
    assert agreement(level, shift(z_mm=180.0)) < agreement(level, np.eye(4)) - 0.3
