"""lungreg report: one page that opens anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.workflows.report import report, report_here, show_report
from tests.site import CASES, Site


def test_a_report_of_an_unknown_run_is_refused(trained: Site) -> None:
    """What has results can be listed."""
    done = trained.run("report", "infer-none")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "lungreg: a run has results, got none for 'infer-none'; list runs with "
        f"'lungreg results -c {trained.config_file}'\n"
    )


def test_a_report_is_one_page_on_the_stage(finished: tuple[Site, str]) -> None:
    """Its place is printed, and it links to the pages of the cases."""
    site, run_id = finished
    done = site.run("report", run_id, "--json")
    page = Path(done.document["report"])
    assert page == site.folder / "stage" / "runs" / run_id / "report.html"
    text = page.read_text()
    assert f"cases/{CASES[0]}/qc.html" in text
    assert "research use only" in text.lower()
    copy = site.folder / "pages"
    assert f"open {copy / 'report.html'}" in site.run("report", run_id, "-o", str(copy)).out
    assert (copy / "report.html").read_text() == page.read_text()
    case_page = (copy / "cases" / CASES[0] / "qc.html").read_text(encoding="utf-8")
    assert "Lungs of the fixed scan</button></dt><dd>as its mask gives them</dd>" in case_page


def test_a_damaged_page_costs_no_other_case_its_report(finished: tuple[Site, str]) -> None:
    """It is left out and counted; the row of its case stays."""
    site, run_id = finished
    page = site.folder / "stage" / "runs" / run_id / "cases" / CASES[1] / "qc.html"
    whole = page.read_bytes()
    try:
        for damaged in (b"", whole[:2000], b"\xff" * 50):
            page.write_bytes(damaged)
            done = site.run("report", run_id, "--json")
            assert done.code == 0
            text = Path(done.document["report"]).read_text(encoding="utf-8")
            assert all(case_id in text for case_id in CASES)
    finally:
        page.write_bytes(whole)


def test_a_large_report_has_pages_beside_it(
    finished: tuple[Site, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the stage and in a folder; a notebook shows the first."""
    site, run = finished
    monkeypatch.setattr("lungreg.qc.cohort_page.MOST_ROWS", 4)
    name = report(site.config(), run)
    stage = site.backend().stage
    first, second = stage.read(name).decode(), stage.read(f"runs/{run}/report-2.html").decode()
    assert 'href="report-2.html#cases"' in first
    assert 'href="report.html#cases"' in second
    report_here(site.config(), run, tmp_path)
    assert sorted(page.name for page in tmp_path.glob("*.html")) == ["report-2.html", "report.html"]
    assert "Page 1 of 2" in show_report(site.config(), run).html
    stage.delete(f"runs/{run}/report-2.html")
