"""The table of cases as data; what a page makes of it is in test_cohort_page."""

from __future__ import annotations

from lungreg.qc.cohort_table import _TELLING, _columns, _ranks


def test_every_telling_measure_is_a_column() -> None:
    """A name that is none would keep no column in view; the first are hidden last."""
    assert set(_TELLING) <= {column.name for column in _columns()}
    ranks = _ranks()
    assert [ranks[name] for name in _TELLING] == [*range(1, len(_TELLING) + 1)]
