"""The page of a run in a real browser: sorting, filters, panels, links, thousands of cases."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from lungreg.config import Quality
from lungreg.qc.case_page import extract_panel, render_case
from lungreg.qc.cohort_page import choose_panels, render_pages
from tests.qc.browser.table import heads, sort_by
from tests.qc.first_page import render_cohort
from tests.qc.phantom import ODD, phantom_case, phantom_result

pytestmark = pytest.mark.slow
LONG_COHORT = 2_000


def visible_cases(page) -> list[str]:
    return page.locator("table.cases tbody tr:visible .name :is(a, bdi)").all_inner_texts()


def column(page, label) -> list[str]:
    place = heads(page).index(label) + 1
    cells = page.locator(f"table.cases tbody tr:visible > :nth-child({place})")
    return cells.all_inner_texts()


def test_sorting_sorts_numbers_with_nulls_last(page, folder, results):
    """Both ways numbers are sorted as numbers, and what is absent stays last."""
    page.goto((folder / "report.html").as_uri())
    known = sorted(r.tre_mm for r in results if r.tre_mm is not None)
    nulls = ["–"] * (len(results) - len(known))
    for order in (known, known[::-1]):
        sort_by(page, "TRE")
        assert column(page, "TRE") == [f"{value:.2f}" for value in order] + nulls
    assert page.locator("th[aria-sort=descending]").count() == 1
    sort_by(page, "Case")
    names = [name for name in visible_cases(page) if name.startswith("case_")]
    assert names == [f"case_{k}" for k in range(1, 12)]


def test_filters_filter(page, folder, results):
    """Text, verdict, what it rests on, and split each narrow the table, and say by how much."""
    page.goto((folder / "report.html").as_uri())
    assert len(visible_cases(page)) == len(results)
    page.locator(".by-state").select_option("warn")
    assert set(visible_cases(page)) == {r.case_id for r in results if r.verdict == "warn"}
    page.locator(".by-split").select_option("train")
    assert set(visible_cases(page)) == {"case_4", "case_10"}
    assert page.locator(".showing").inner_text() == "2 of 13"
    page.locator(".by-split").select_option("")
    page.get_by_role("button", name="warn (estimated)").click()
    assert visible_cases(page) == ["case_7"]
    page.locator(".only[data-state=failed]").click()
    assert visible_cases(page) == ["lost"]
    assert "got </script> instead" in page.locator("table.cases tbody tr:visible").inner_text()
    page.locator(".by-state").select_option("")
    page.locator(".find").fill("åsa")
    assert visible_cases(page) == [ODD]


def test_click_on_a_case_opens_its_panel(page, folder, results):
    """A case with a panel in the page opens and scrolls to it; its slider works there."""
    page.goto((folder / "report.html").as_uri())
    name = choose_panels(results, 4)[2]
    panel = page.locator("details.case", has=page.locator(f'[data-case="{name}"]'))
    assert panel.get_attribute("open") is None
    page.locator("table.cases tbody tr", has=page.get_by_text(name, exact=True)).click()
    assert panel.get_attribute("open") is not None
    assert panel.locator("summary").is_visible()
    assert abs(panel.bounding_box()["y"]) < 400
    stage = panel.locator(".compare .canvas").first
    before = stage.screenshot()
    panel.locator(".qc-slider").first.fill("5")
    assert stage.screenshot() != before


def test_click_on_another_case_opens_its_page(page, folder):
    """A case without a panel opens its own page, whatever its name and folder hold."""
    page.goto((folder / "report.html").as_uri())
    row = page.locator("table.cases tbody tr", has=page.get_by_text(ODD, exact=True))
    row.locator("td").nth(2).click()
    page.wait_for_url("**/qc.html#report")
    assert page.locator("h1 bdi").inner_text() == ODD


def test_scrolling_shows_the_rest(page, tmp_path):
    """A long table grows while it is scrolled, until every case is there."""
    report = tmp_path / "report.html"
    rows = [phantom_result(f"case_{k}") for k in range(450)]
    html = render_cohort("long", rows, {}, thresholds=Quality(), provenance={}, case_links={})
    report.write_text(html, encoding="utf-8")
    page.goto(report.as_uri())
    counts = [page.locator("table.cases tbody tr").count()]
    for _ in range(2):
        page.locator(".scroll.cases").evaluate("one => { one.scrollTop = one.scrollHeight; }")
        page.wait_for_function(
            "n => document.querySelectorAll('table.cases tbody tr').length > n", arg=counts[-1]
        )
        counts.append(page.locator("table.cases tbody tr").count())
    assert counts == [200, 400, 450]


def test_further_pages_hold_the_rest(page, tmp_path, monkeypatch):
    """A link leads to each; there cases are found and sorted as on the first one."""
    monkeypatch.setattr("lungreg.qc.cohort_page.MOST_ROWS", 5)
    pages = render_pages(
        "large",
        [phantom_result(f"case_{k}", tre_mm=float(k)) for k in range(12)],
        {},
        thresholds=Quality(),
        provenance={},
        case_links={},
        page_name="page-{}.html".format,
    )
    for number, html in enumerate(pages, start=1):
        (tmp_path / f"page-{number}.html").write_text(html, encoding="utf-8")
    page.goto((tmp_path / "page-1.html").as_uri())
    assert page.locator("table.cases tbody tr").count() == 5
    page.locator("nav.pages a", has_text="3").click()
    page.wait_for_url("**/page-3.html#cases")
    assert page.locator("table.cases tbody th").all_inner_texts() == ["case_10", "case_11"]
    page.locator(".find").fill("case_11")
    assert page.locator(".showing").inner_text() == "1 of 2"


def contrast(first: str, second: str) -> float:
    """WCAG's contrast ratio of two CSS colours, "rgb(r, g, b)"."""

    def luminance(colour):
        parts = np.array([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ np.array([0.2126, 0.7152, 0.0722])) + 0.05

    pair = luminance(first), luminance(second)
    return max(pair) / min(pair)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_readable(page, folder, scheme):
    """Text, quiet text, links and badges stand out from what they lie on, as WCAG AA asks."""
    page.emulate_media(color_scheme=scheme)
    page.goto((folder / "report.html").as_uri())
    style = "one => { const s = getComputedStyle(one); return [s.color, s.backgroundColor]; }"
    ink, paper = page.locator("body").evaluate(style)
    assert contrast(ink, paper) > 7
    assert (contrast(paper, "rgb(0, 0, 0)") < 3) == (scheme == "dark")
    for quiet in (".kicker", ".hint", "h2 small", ".provenance dt"):
        assert contrast(page.locator(quiet).first.evaluate(style)[0], paper) > 4.5
    for badge in page.locator(".badge").all()[:8]:
        assert contrast(*badge.evaluate(style)) > 4.5
    link = page.locator("table.cases a").first.evaluate(style)[0]
    assert contrast(link, page.locator(".scroll.cases").evaluate(style)[1]) > 4.5


def test_two_thousand_cases(page, tmp_path, record_property):
    """2,000 rows with 20 panels stay under 40 MB and can be sorted by every column."""
    rng = np.random.default_rng(5)
    rows = [
        phantom_result(
            f"case_{k}", dice_score=rng.random(), tre_mm=rng.random() * 20, ncc=rng.random()
        )
        for k in range(LONG_COHORT)
    ]
    noise = [rng.random((96, 96, 96), dtype=np.float32) for _ in range(3)]
    case = dataclasses.replace(
        phantom_case((96, 96, 96)), fixed=noise[0], aligned=noise[1], warped=noise[2]
    )
    panel = extract_panel(render_case(rows[0], case, provenance={}))
    report = tmp_path / "report.html"
    html = render_cohort(
        "large",
        rows,
        dict.fromkeys(choose_panels(rows, 20), panel),
        thresholds=Quality(),
        provenance={},
        case_links={row.case_id: f"{row.case_id}/qc.html" for row in rows},
    )
    report.write_text(html, encoding="utf-8")
    assert 5_000_000 < report.stat().st_size < 40_000_000
    page.goto(report.as_uri())
    took_ms = page.evaluate(
        """() => [...document.querySelectorAll("table.cases thead button")].map((button) => {
             const began = performance.now();
             button.click();
             document.body.getBoundingClientRect();
             return performance.now() - began;
           })"""
    )
    record_property("longest sort, ms", round(max(took_ms)))
    sort_by(page, "TRE")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    shown = page.evaluate(
        "(k) => [...document.querySelectorAll('table.cases tbody tr')]"
        ".map((row) => Number(row.cells[k].textContent))",
        heads(page).index("TRE"),
    )
    assert len(shown) == LONG_COHORT
    assert shown == sorted(shown)
