"""The README's table of rules and columns is that of the code."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lungreg.config import Quality
from lungreg.metrics.rules import describe_rules
from lungreg.records import CaseMetrics

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_rules_are_those_of_the_verdict() -> None:
    """Each with its default threshold, in their order, and no other."""
    rows = ["| {} | {} |".format(*rule.split(": ", 1)) for rule in describe_rules(Quality())]
    shown = [line for line in TEXT.splitlines() if line.startswith(("| warn |", "| fail |"))]
    assert shown == rows


def test_every_metric_is_listed() -> None:
    """A column that a person finds in the table has its line."""
    names = [field.name for field in dataclasses.fields(CaseMetrics)]
    assert [name for name in (*names, "evidence") if f"`{name}`" not in TEXT] == []
