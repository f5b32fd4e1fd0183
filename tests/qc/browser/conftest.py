"""A headless browser, and a report beside the pages of its cases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lungreg.config import Quality
from lungreg.qc.case_page import extract_panel, render_case
from lungreg.qc.cohort_page import choose_panels
from lungreg.records import CaseResult, Status
from tests.qc.first_page import render_cohort
from tests.qc.phantom import phantom_case, phantom_cohort, phantom_landmarks, phantom_places

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped, with the reason, where there is none."""
    reason = "the browser test needs `pip install playwright`"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    path = os.environ.get("LUNGREG_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium, or LUNGREG_CHROMIUM")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test for any console message, error, or request but to files."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    opened, faults = context.new_page(), []
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request",
        lambda request: request.url.startswith(("file:", "data:")) or faults.append(request.url),
    )
    yield opened
    context.close()
    assert faults == []


@pytest.fixture(scope="package")
def results() -> list[CaseResult]:
    """The cohort of the report."""
    return phantom_cohort()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory, results: list[CaseResult]) -> Path:
    """A report beside the pages of its cases, as on a stage."""
    root = tmp_path_factory.mktemp("site")
    pages, links = {}, {}
    pair = phantom_case((48, 40, 52))
    for k, result in enumerate(results):
        if result.status is Status.SUCCESS:
            pages[result.case_id] = render_case(
                result,
                pair,
                provenance={"model": "demo"},
                places=phantom_places(),
                landmarks=phantom_landmarks(),
                report="../../report.html",
            )
            links[result.case_id] = f"cases/{k} #%25 å/qc.html"
            place = root / links[result.case_id]
            place.parent.mkdir(parents=True)
            place.write_text(pages[result.case_id], encoding="utf-8")
    panels = {name: extract_panel(pages[name]) for name in choose_panels(results, 4)}
    (root / "report.html").write_text(
        render_cohort(
            "run <1>",
            results,
            panels,
            thresholds=Quality(),
            provenance={"model": "demo"},
            case_links=links,
        ),
        encoding="utf-8",
    )
    return root
