"""Every measure that `evaluate` shows has a unit and a meaning."""

from __future__ import annotations

import dataclasses

from lungreg.metrics.meanings import MEANINGS
from lungreg.records import CaseEvaluation

_NO_MEASURES = {
    *("case_id", "split", "status", "verdict", "evidence", "reasons", "error_code"),
    *("error_message", "etre_regions", "without_lungs", "doubts", "mirrored"),
}


def test_no_measure_lacks_its_meaning() -> None:
    """And none is there that is not measured; names and units agree."""
    fields = {field.name for field in dataclasses.fields(CaseEvaluation)}
    assert set(MEANINGS) == fields - _NO_MEASURES
    ends = {"_mm": "mm", "_pct": "%", "_ml": "ml", "_hu": "HU"}
    for name, meaning in MEANINGS.items():
        wanted = [unit for end, unit in ends.items() if name.endswith(end)] or [""]
        assert [meaning.unit] == wanted, name
        assert len(meaning.text) <= 65
