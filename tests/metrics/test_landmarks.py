"""Landmark errors."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.metrics import landmark_errors_mm, landmark_summary


class TestLandmarks:
    def test_closed_form(self) -> None:
        """Errors are Euclidean distances in mm; mean, median, 95 % and largest are theirs."""
        moved = np.array([[0.0, 0, 0], [1, 2, 2], [0, 0, 9]])
        errors = landmark_errors_mm(moved, np.zeros((3, 3)))
        np.testing.assert_allclose(errors, [0, 3, 9])
        assert landmark_summary(errors) == pytest.approx((4.0, 3.0, 8.4, 9.0))

    def test_lengths_differ(self) -> None:
        """Lists that cannot be paired are refused."""
        with pytest.raises(DataError, match=r"one shape \(N, 3\)"):
            landmark_errors_mm(np.zeros((4, 3)), np.zeros((3, 3)))

    def test_none(self) -> None:
        """Without landmarks there is no mean."""
        with pytest.raises(DataError, match="at least one landmark"):
            landmark_summary(np.zeros(0))

    def test_spread_of_a_hundred_errors(self) -> None:
        """Of 0, 1, ..., 100 mm the 95th percentile is 95 and the largest 100."""
        found = landmark_summary(np.arange(101.0))
        assert (found.mean_mm, found.median_mm) == (50.0, 50.0)
        assert (found.p95_mm, found.max_mm) == (95.0, 100.0)
