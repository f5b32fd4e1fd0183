"""The 30 % tail of Learn2Reg."""

from __future__ import annotations

import pytest

from lungreg.errors import DataError
from lungreg.metrics import tail_30


def test_the_worse_side_counts() -> None:
    """Of eleven cases the eighth error and the fourth Dice, counted from the smallest."""
    values = [float(n) for n in (10, 3, 7, 1, 0, 2, 9, 8, 4, 6, 5)]
    assert tail_30(values, higher_is_better=False) == pytest.approx(7.0)
    assert tail_30(values, higher_is_better=True) == pytest.approx(3.0)


def test_between_two_cases_it_is_linear() -> None:
    """The zero field on Learn2Reg's three validation pairs: 17.43 mm of 20.18, 15.60 and 8.14."""
    assert tail_30([20.18, 15.60, 8.14], higher_is_better=False) == pytest.approx(17.43, abs=5e-3)


def test_one_case_is_its_own_tail_and_none_has_none() -> None:
    """A single value comes back; an empty cohort is refused."""
    assert tail_30([2.5], higher_is_better=False) == 2.5
    with pytest.raises(DataError, match="at least one case"):
        tail_30([], higher_is_better=True)
