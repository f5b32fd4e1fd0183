"""The columns of a run's table in a real browser: the most telling ones that fit are shown."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.config import Quality
from lungreg.metrics.measures import MEASURES
from lungreg.records import CaseResult, Verdict
from tests.qc.browser.table import heads, shown_heads, sort_by
from tests.qc.first_page import render_cohort
from tests.qc.phantom import phantom_result

pytestmark = pytest.mark.slow


def measured(number: int) -> CaseResult:
    """A case with every measure of the table and a reason that takes several lines."""
    shown = {measure.name: 1.0 + number for measure in MEASURES}
    before = {measure.aligned: 2.0 for measure in MEASURES if measure.aligned}
    row = phantom_result(f"patient_{number:03d}_visit_2", **shown, **before, compute_s=9.0)
    return dataclasses.replace(
        row,
        verdict=Verdict.WARN,
        evidence="landmarks",
        reasons="largest landmark error is high. " * 9,
    )


def sideways(page, selector: str) -> int:
    """By how many pixels it is wider than the place that it has."""
    return page.evaluate(
        "(s) => { const e = document.querySelector(s); return e.scrollWidth - e.clientWidth; }",
        selector,
    )


@pytest.fixture
def wide_report(page, tmp_path):
    """A page opened with a row of every measure, which takes some 2,400 pixels."""
    report = tmp_path / "report.html"
    rows = [measured(k) for k in range(12)]
    html = render_cohort("wide", rows, {}, thresholds=Quality(), provenance={}, case_links={})
    report.write_text(html, encoding="utf-8")
    page.goto(report.as_uri())
    return page


@pytest.mark.parametrize("width", [1600, 1300, 1000, 700])
def test_neither_page_nor_table_scrolls_sideways(wide_report, width):
    """Lesser columns give way, the last named first; as many are left as the window holds."""
    wide_report.set_viewport_size({"width": width, "height": 900})
    wide_report.wait_for_function(
        "() => { const e = document.querySelector('.scroll.cases');"
        " return e.scrollWidth <= e.clientWidth; }"
    )
    assert wide_report.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = shown_heads(wide_report)
    assert shown[:4] == ["Case", "Verdict", "Split", "Why"]
    more = len(heads(wide_report)) - len(shown)
    assert wide_report.locator(".more").inner_text() == f"{more} more columns"
    if width >= 1000:
        assert {"TRE", "Estimated", "Dice"} <= set(shown)
        assert sideways(wide_report, ".summary .scroll") <= 0


def test_all_columns_scroll_beside_the_case(wide_report):
    """In their own place, by a button; the column of cases stays in view, and the page still."""
    wide_report.locator(".more").click()
    assert wide_report.locator(".more").inner_text() == "Fewer columns"
    assert wide_report.locator(".more").get_attribute("aria-expanded") == "true"
    assert wide_report.locator("table.cases thead th:visible").count() == len(heads(wide_report))
    assert sideways(wide_report, ".scroll.cases") > 500
    name = wide_report.locator("table.cases tbody .name").first
    before = name.bounding_box()["x"]
    wide_report.locator(".scroll.cases").evaluate("one => { one.scrollLeft = 900; }")
    assert name.bounding_box()["x"] == pytest.approx(before, abs=1)
    assert wide_report.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide_report.locator(".more").click()
    assert sideways(wide_report, ".scroll.cases") <= 0
    assert wide_report.locator(".more").get_attribute("aria-expanded") == "false"


def test_the_column_that_is_sorted_by_stays(wide_report):
    """A less telling one too: others give way for it, until the table is sorted by another."""
    hidden = [name for name in heads(wide_report) if name not in shown_heads(wide_report)]
    last = hidden[-1]
    wide_report.locator(".more").click()
    sort_by(wide_report, last)
    wide_report.locator(".more").click()
    assert last in shown_heads(wide_report)
    assert sideways(wide_report, ".scroll.cases") <= 0
    sort_by(wide_report, "Case")
    assert last not in shown_heads(wide_report)


def test_rows_that_come_by_scrolling_fit_too(page, tmp_path):
    """Their numbers may be longer than those of all rows before."""
    rows = [measured(k) for k in range(250)]
    long = {measure.name: 1.0e9 for measure in MEASURES}
    rows = [*rows[:200], *(dataclasses.replace(row, **long) for row in rows[200:])]
    report = tmp_path / "report.html"
    html = render_cohort("long", rows, {}, thresholds=Quality(), provenance={}, case_links={})
    report.write_text(html, encoding="utf-8")
    page.goto(report.as_uri())
    before = shown_heads(page)
    page.locator(".scroll.cases").evaluate("one => { one.scrollTop = one.scrollHeight; }")
    page.wait_for_function("document.querySelectorAll('table.cases tbody tr').length === 250")
    assert sideways(page, ".scroll.cases") <= 0
    assert len(shown_heads(page)) < len(before)


def test_where_all_columns_fit_there_is_no_button(page, folder):
    """A cohort without most measures needs none."""
    page.goto((folder / "report.html").as_uri())
    assert page.locator(".more").is_hidden()
