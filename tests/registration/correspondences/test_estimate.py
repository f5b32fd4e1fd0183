"""Estimated landmark errors: known errors come out, wherever the transform is from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume
from lungreg.registration.correspondences import LandmarkEstimate, estimate_landmarks
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Transform, affine_transform
from tests.varied import make_varied
from tests.varied.errors import make_error
from tests.varied.record import VariedCase, make_volume
from tests.varied.source import load_source

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def case() -> VariedCase:
    """A pair with a known truth."""
    return make_varied("analytic", "none", 1)


@pytest.fixture(scope="module")
def registered(case: VariedCase) -> LandmarkEstimate:
    """What is found where the transform is the true one."""
    found = estimate_landmarks(case.pair, case.true_transform())
    assert found is not None
    return found


def true_mm(case: VariedCase, transform: Transform, found: LandmarkEstimate) -> NDArray[np.float64]:
    """(N,) true errors at the places."""
    reached = transform_points(transform, found.places_ras)
    return np.asarray(np.linalg.norm(case.true_moving(found.places_ras) - reached, axis=1))


@pytest.mark.parametrize("error", ["good", "inner5", "nothing", "slid10"])
def test_known_errors_come_out(case: VariedCase, error: str) -> None:
    """The mean at the places found is within a quarter or 1 mm of the true one."""
    transform = make_error(error, case, 1)
    found = estimate_landmarks(case.pair, transform)
    assert found is not None
    true, known = true_mm(case, transform, found), found.found
    assert len(known) > 800
    assert known.mean() > 0.2
    right = true[known].mean()
    assert abs(found.errors_mm[known].mean() - right) < max(1.0, 0.25 * right)
    partners = np.linalg.norm(found.partners_ras - case.true_moving(found.places_ras), axis=1)
    assert np.median(partners[known]) < 1.5


def test_partners_are_as_exact_as_both_scans_are_alike(case: VariedCase) -> None:
    """One scan twice under the identity has next to no error; noise in one makes it uncertain."""
    fixed, still = case.pair.fixed, affine_transform(np.eye(4))
    noise = np.random.default_rng(3).normal(0, 200, fixed.data.shape).astype(np.float32)
    noisy = replace(fixed, data=fixed.data + noise)
    errors = []
    for moving in (fixed, noisy):
        found = estimate_landmarks(replace(case.pair, moving=moving), still)
        assert found is not None
        errors.append(np.nanmedian(found.errors_mm))
    assert errors[0] < 0.2
    assert 0.5 < errors[1] < 1.5


def test_a_local_error_shows_where_it_is(case: VariedCase) -> None:
    """Places with a true error above 5 mm have estimates far above those of the others."""
    transform = make_error("local8", case, 1)
    found = estimate_landmarks(case.pair, transform)
    assert found is not None
    true, known = true_mm(case, transform, found), found.found
    far, near = known & (true > 5), known & (true < 1)
    assert np.median(found.errors_mm[far]) > 4
    assert np.median(found.errors_mm[near]) < 1.5


def test_before_registration_is_measured_by_the_same_partners(
    case: VariedCase, registered: LandmarkEstimate
) -> None:
    """`aligned_mm` is the distance of the same partners from `A(x)`."""
    found, known = registered, registered.found
    true = np.linalg.norm(case.true_moving(found.places_ras) - found.places_ras, axis=1)
    assert abs(found.aligned_mm[known].mean() - true[known].mean()) < 0.5


def test_scans_of_two_patients_find_few_partners(
    case: VariedCase, registered: LandmarkEstimate
) -> None:
    """The share falls to a fraction of that of one patient."""
    pair = replace(case.pair, moving=make_volume(load_source("analytic", 2), 0.0))
    found = estimate_landmarks(pair, affine_transform(np.eye(4)))
    assert found is not None
    assert found.found.mean() < 0.3 * registered.found.mean()
    assert found.found_share < 0.08
    assert registered.found_share > 0.4


def test_without_lungs_there_is_no_estimate(case: VariedCase) -> None:
    """A scan of water holds none."""
    fixed = case.pair.fixed
    water = Volume(data=np.zeros_like(fixed.data), grid=fixed.grid, stored=fixed.stored)
    pair = replace(case.pair, fixed=water)
    assert estimate_landmarks(pair, affine_transform(np.eye(4))) is None


def test_the_same_twice(case: VariedCase, registered: LandmarkEstimate) -> None:
    """Nothing is random."""
    again = estimate_landmarks(case.pair, case.true_transform())
    assert again is not None
    np.testing.assert_array_equal(again.errors_mm, registered.errors_mm)
