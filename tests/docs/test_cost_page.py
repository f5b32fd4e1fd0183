"""The page of cost says what its formula gives for what was measured."""

from __future__ import annotations

import json

from tests.benchmarks.costs import MEASURED, table
from tests.docs.blocks import PAGES


def test_table_is_that_of_the_measured_figures() -> None:
    """Line by line, and the figures that it rests on."""
    page = (PAGES / "cost.md").read_text()
    measured = json.loads(MEASURED.read_text())
    assert "\n".join(table(measured)) in page
    by_way = (*measured["core_s_of_a_pair"].values(), *measured["written_mb"].values())
    figures = (*by_way, measured["read_mb"])
    assert all(f"{figure:g}" in page for figure in figures)
    assert measured["date"] in page
