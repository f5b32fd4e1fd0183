"""Short registrations: where they end, and that the best of several starts is kept."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.alignment.scan import scans_of
from lungreg.registration.alignment.trial import Bench
from tests.registration.alignment.patients import HU_WINDOW, patient, turned


@pytest.mark.parametrize("degrees", [(30, 0, 0), (0, 30, 0), (0, 0, -30), (16, 18, 17)])
def test_a_turned_patient_is_found(degrees: tuple[float, float, float]) -> None:
    """From the headers alone, a patient turned by 30 degrees ends as near as one who is not."""
    whole = turned(patient(), degrees)
    bench = Bench(*scans_of(whole.pair, HU_WINDOW))
    end = bench.best([np.eye(4)])
    assert whole.error_mm(np.eye(4)) > 25.0
    assert whole.error_mm(end.affine) < 4.0
    assert end.score == bench.score(end.affine)


def test_the_best_start_wins() -> None:
    """A start that leads nowhere does no harm."""
    bench = Bench(*scans_of(patient().pair, HU_WINDOW))
    away = np.eye(4)
    away[2, 3] = 150.0
    good, both = bench.best([np.eye(4)]), bench.best([away, np.eye(4)])
    assert both.score >= good.score
    assert patient().error_mm(both.affine) < 4.0


def test_the_same_again() -> None:
    """The result is the same to the last bit."""
    ends = [Bench(*scans_of(patient().pair, HU_WINDOW)).best([np.eye(4)]) for _ in range(2)]
    np.testing.assert_array_equal(ends[0].affine, ends[1].affine)
