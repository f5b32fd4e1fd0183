"""How stored values are read: units, and values that show nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.registration.lung_segmentation.values import (
    Scale,
    blank_values,
    find_scale,
    is_one_of,
)
from tests.registration.lung_segmentation.phantom import make_phantom


def scale_of(stored: NDArray[np.float32]) -> Scale:
    """Of values that all show something."""
    return find_scale(stored, stored, np.zeros(stored.shape, dtype=bool))


@pytest.mark.parametrize("offset", [0.0, 1000.0, 1024.0])
def test_hounsfield_units_are_taken_as_they_are(offset: float) -> None:
    """But for an offset."""
    found = scale_of(make_phantom().hu + np.float32(offset))
    assert found == Scale(zero=offset, gain=1.0, air_below=offset - 320, exact=True)


@pytest.mark.parametrize(("factor", "shift"), [(1 / 1400, 5 / 7), (0.17, 170.0), (1 / 420, 0.6)])
def test_other_units_are_read_by_air_and_tissue(factor: float, shift: float) -> None:
    """The threshold lies between lung (-820 HU) and tissue (30 HU), whatever the units are."""
    hu = np.clip(make_phantom().hu, -1000, 400)
    found = scale_of(hu * np.float32(factor) + np.float32(shift))
    assert not found.exact
    assert -650 < (found.air_below - shift) / factor < -150
    assert found.hounsfield(np.float32([30 * factor + shift]))[0] == pytest.approx(20, abs=30)


def test_noise_has_no_two_kinds() -> None:
    """Its values are taken as they are, and not as Hounsfield units."""
    noise = np.random.default_rng(0).normal(0, 1, (20, 20, 20)).astype(np.float32)
    assert scale_of(noise) == Scale(zero=0.0, gain=1.0, air_below=-320.0, exact=False)


def test_fat_is_not_air() -> None:
    """In a belly without gas, in Hounsfield units or scaled with the air around it."""
    rng = np.random.default_rng(0)
    belly = np.where(rng.random((30, 30, 30)) < 0.4, -100.0, 45.0).astype(np.float32)
    belly[10:12, 10:12] = 500.0
    assert scale_of(belly).air_below == -320
    scaled = np.pad((np.clip(belly, -1000, 400) + 1000) / 1400, 6).astype(np.float32)
    blank = np.pad(np.zeros(belly.shape, dtype=bool), 6, constant_values=True)
    assert find_scale(scaled, scaled, blank).gain == 1.0


def test_blank_values_fill_the_sides() -> None:
    """One value in 20 or more; noise of a room's air holds none."""
    faces = np.random.default_rng(0).normal(-1000, 40, 10_000)
    assert blank_values(faces)[0] == []
    faces[:3000], faces[3000:3400], faces[3400:4400] = 0.0, 7.0, -3024.0
    values, same = blank_values(faces)
    np.testing.assert_allclose(values, [-3024, 0], atol=same)
    assert is_one_of(np.array([-3024.0, 0.01, 7.0, -1000.0]), values, same).tolist() == [
        *(True, True, False, False)
    ]
