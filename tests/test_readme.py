"""The README and the page that has its tables: rules and columns are those of the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from lungreg.config import Quality
from lungreg.metrics.rule_list import describe_rules
from lungreg.records import CaseMetrics

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = (ROOT / "docs" / "pages" / "tutorials" / "report.md").read_text(encoding="utf-8")
TWO_SCREENS = 100
"""Lines."""


def test_the_rules_are_those_of_the_verdict() -> None:
    """Each with its default threshold, in their order, and no other."""
    rows = ["| {} | {} |".format(*rule.split(": ", 1)) for rule in describe_rules(Quality())]
    shown = [line for line in TEXT.splitlines() if line.startswith(("| warn |", "| fail |"))]
    assert shown == rows


def test_every_metric_is_listed() -> None:
    """A column that a person finds in the table has its line."""
    names = [field.name for field in dataclasses.fields(CaseMetrics)]
    assert [name for name in (*names, "evidence") if f"`{name}`" not in TEXT] == []


def test_the_readme_is_short() -> None:
    """At most two screens, with one picture at the top, before it says where everything is."""
    before = README.partition("## Where everything is")[0].splitlines()
    assert len(before) <= TWO_SCREENS
    (picture,) = (number for number, line in enumerate(before) if line.startswith("!["))
    assert picture < 10


def test_links_of_the_readme_lead_somewhere() -> None:
    """Each relative link names a file, and its anchor a heading of that page."""
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", README)
    assert links
    for file, anchor in links:
        assert (ROOT / file).exists(), file
        if anchor:
            heads = re.findall(
                r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
            )
            assert anchor in [re.sub(r"[^\w]+", "-", head.lower()).strip("-") for head in heads]
