"""What a name says."""

from __future__ import annotations

import pytest

from lungreg.sources.name_words import is_visit

VISITS = ("2024-03-01", "2024_03", "20240301", "2024", "01.03.2024", "v2", "T1", "m06", "FU-3")
WORDS = ("baseline", "Follow-up 2", "visit3", "month_12", "Termin1")
OTHERS = ("123456", "20241301", "P01", "scan01", "exam", "A", "1.2.840.113619", "t", "v1234")


@pytest.mark.parametrize("name", [*VISITS, *WORDS])
def test_dates_and_visits(name: str) -> None:
    """Many patients have the same."""
    assert is_visit(name)


@pytest.mark.parametrize("name", OTHERS)
def test_ids_of_patients(name: str) -> None:
    """Numbers that are no dates, and words that say nothing of time."""
    assert not is_visit(name)
