"""The page of cost says what its formula gives for what was measured."""

from __future__ import annotations

from tests.benchmarks.costs import last_measured, table
from tests.benchmarks.limits import (
    COUNTED,
    LARGE,
    calls_table,
    gigabytes_of_a_million,
    load,
    steps_table,
)
from tests.docs.blocks import PAGES


def test_table_is_that_of_the_measured_figures() -> None:
    """Line by line, and the figures that it rests on."""
    page = (PAGES / "cost.md").read_text()
    measured = last_measured()
    assert "\n".join(table(measured)) in page
    by_way = (*measured["core_s_of_a_pair"].values(), *measured["written_mb"].values())
    figures = (*by_way, measured["read_mb"])
    assert all(f"{figure:g}" in page for figure in figures)
    assert measured["date"] in page


def test_what_breaks_first_follows_from_the_counts() -> None:
    """Both tables, line by line, and the figures in the text beside them."""
    page = (PAGES / "cost.md").read_text()
    counted, large = load(COUNTED), load(LARGE)
    assert "\n".join(calls_table(counted)) in page
    assert "\n".join(steps_table(large)) in page
    assert COUNTED.name in page
    assert LARGE.name in page
    assert f"{counted['cases']:,} small cases" in page
    assert f"{large['cases']:,} cases, without their scans" in page
    report = large["report"]
    assert f"{report['pages']} pages of at most {report['largest page, MB']} MB" in page
    assert f"some\n  {gigabytes_of_a_million(large)} for `infer --resume`" in page
