"""The kept rows of the calibration follow from today's rules: none is of a verdict that is gone."""

from __future__ import annotations

import dataclasses

import pytest

from docs.calibration import Row, calibration_rows, is_held_back
from lungreg.config import Quality
from lungreg.metrics.verdict import Judgement, judge
from lungreg.records import CaseMetrics, Evidence, RegionError

METRICS, EVIDENCE = (
    {field.name for field in dataclasses.fields(record)} for record in (CaseMetrics, Evidence)
)


def judged_again(row: Row) -> Judgement:
    """Without landmarks, from the figures of a row."""
    known = {name: value for name, value in row.items() if name in EVIDENCE - {"landmarks"}}
    known["etre_regions"] = tuple(RegionError(**it) for it in row.get("etre_regions", ()))
    metrics = {name: value for name, value in row.items() if name in METRICS}
    return judge(CaseMetrics(**metrics), Quality(), Evidence(**known))


@pytest.mark.parametrize("held_back", [True, False])
def test_verdicts_are_those_of_todays_rules(held_back: bool) -> None:
    """With what they rest on; run `nox -s calibrate` again where one is not."""
    rows = [row for row in calibration_rows() if is_held_back(row) == held_back]
    other = []
    for row in rows:
        found = judged_again(row)
        kept = row["estimated"]
        seems_mirrored = any("seem exchanged in one of the scans" in it for it in kept["reasons"])
        if seems_mirrored or (found.verdict.value, found.evidence) == (
            kept["verdict"],
            kept["evidence"],
        ):
            continue
        other.append((row["base"], row["trouble"], row["seed"], row["error"]))
    assert other == []
