"""lungreg evaluate: its tables."""

from __future__ import annotations

from lungreg.cli.evaluate import _ACCURACY, _TRUST
from lungreg.metrics.measures import EVALUATED


def test_every_measure_has_a_column() -> None:
    """Of one case all are printed; of many, --wide leaves none out."""
    assert sorted((*_ACCURACY, *_TRUST)) == sorted(EVALUATED)
