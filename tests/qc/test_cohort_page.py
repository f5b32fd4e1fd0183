"""The page of a run as HTML: counts, means, rules, panels, and names that are text."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from lungreg.config import Quality
from lungreg.metrics.rule_list import describe_rules
from lungreg.qc.cohort_page import MOST_ROWS, choose_panels, render_pages
from lungreg.records import RESEARCH_USE, Split, Status, Verdict
from tests.qc.first_page import render_cohort
from tests.qc.phantom import phantom_result

THRESHOLDS = Quality()


def row(case_id, verdict=Verdict.PASS, split=Split.TEST, evidence=None, **metrics):
    result = phantom_result(case_id, **metrics)
    return dataclasses.replace(result, verdict=verdict, split=split, evidence=evidence)


def failed(case_id, split=Split.TEST):
    return dataclasses.replace(
        phantom_result(case_id),
        status=Status.FAILED,
        verdict=Verdict.FAIL,
        split=split,
        error_code="unreadable_file",
        error_message="a scan opens as NIfTI, got </script><b>",
    )


def cohort(results, panels=None, links=None):
    return render_cohort(
        "infer-7",
        results,
        panels or {},
        thresholds=THRESHOLDS,
        provenance={"model": "lung <3>"},
        case_links=links or {},
    )


def data_of(page):
    return json.loads(re.search(r'class="results">(.*?)</script>', page, re.DOTALL)[1])


def test_choose_panels_takes_the_worst_first():
    """Failing before warned before others; among them by landmark error, estimated, Dice, NCC."""
    results = [
        row("good", tre_mm=1.0),
        row("bad", tre_mm=3.0),
        row("estimated, better", etre_mm=1.0, dice_score=0.9),
        row("estimated, worse", etre_mm=2.0, dice_score=0.99),
        row("error not known", etre_found_pct=7.0, dice_score=0.99),
        row("no landmarks, better", dice_score=0.97),
        row("no landmarks, worse", dice_score=0.94),
        row("no masks", ncc=0.9),
        row("nothing"),
        row("warned", Verdict.WARN, tre_mm=5.0),
        row("failing", Verdict.FAIL, tre_mm=9.0),
        row("failing more", Verdict.FAIL, tre_mm=19.0),
        failed("never ran"),
    ]
    order = ["failing more", "failing", "warned", "bad", "good", "error not known"]
    order += [
        "estimated, worse",
        "estimated, better",
        "no landmarks, worse",
        "no landmarks, better",
        "no masks",
        "nothing",
    ]
    assert choose_panels(results, 20) == order
    assert choose_panels(list(reversed(results)), 3) == order[:3]
    assert choose_panels(results, 0) == choose_panels(results, -1) == []


def test_rows_carry_numbers_and_nulls():
    """The table's data are typed: numbers, null for what is absent or no number, in order."""
    results = [row("a", dice_score=0.912345678, tre_mm=float("nan")), failed("b")]
    data = data_of(cohort(results))
    place = {column["title"]: k for k, column in enumerate(data["columns"])}
    first, second = data["rows"]
    assert first["values"][place["Lung overlap (Dice)"]] == 0.91235
    assert set(place) == {"Lung overlap (Dice)"}, "a measure that no case has gets no column"
    assert set(second["values"]) == {None}
    assert (second["state"], second["code"]) == ("failed", "unreadable_file")


def test_text_in_the_data_cannot_end_the_script():
    """An error message or a case id with a closing tag stays inside the JSON."""
    page = cohort([failed("</script><script>alert(1)</script>")])
    assert page.count("</script>") == 2
    assert data_of(page)["rows"][0]["case"] == "</script><script>alert(1)</script>"
    assert data_of(page)["rows"][0]["message"].endswith("got </script><b>")


def test_links_are_quoted_and_never_scripts():
    """A path with spaces, quotes, # or % leads to its file; one like a script leads nowhere."""
    links = {
        "a b#1%": '../cases/a b#1%/"q".html',
        "x": "javascript:alert(1)",
        "y": "肺/\udcff.html",
    }
    page = cohort([row(name) for name in links], links=links)
    found = {entry["case"]: entry["link"] for entry in data_of(page)["rows"]}
    assert found["a b#1%"] == "../cases/a%20b%231%25/%22q%22.html#report"
    assert found["x"] == "javascript%3Aalert%281%29#report"
    assert set(found.values()) >= {"%E8%82%BA/%FF.html#report"}


def test_summary_counts_and_means_per_split():
    """Counts add up; means are per split, headline splits first, over registered cases."""
    results = [
        row("a", dice_score=0.9, dice_aligned=0.8, tre_mm=2.0),
        row("b", Verdict.WARN, dice_score=1.0, dice_aligned=0.9),
        failed("c"),
        row("d", Verdict.FAIL, Split.TRAIN, dice_score=0.5),
    ]
    page = cohort(results)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "4 cases pass 1 warn 1 fail 1 not registered 1" in text
    assert re.search(r"test 3 2 0\.850 → 0\.950 2\.00 \(n = 1\)", text)
    assert text.index("test 3 2") < text.index("train 1 1")
    for rule in describe_rules(THRESHOLDS):
        assert rule in text
    assert "warn: Dice below 0.93" in text
    assert RESEARCH_USE in text


def test_counts_and_rows_say_what_verdicts_rest_on():
    """Verdicts of unlike evidence are counted apart, and each row says what its own rests on."""
    results = [
        row("a", evidence="estimated"),
        row("b", evidence="estimated"),
        row("c", evidence="landmarks"),
        dataclasses.replace(row("d", Verdict.WARN), reasons="little overlap"),
        failed("e"),
    ]
    page = cohort(results)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    counted = "pass (estimated) 2 pass (landmarks) 1 warn 1 fail 0 not registered 1"
    assert f"5 cases {counted}" in text
    shown = [(entry["state"], entry["words"]) for entry in data_of(page)["rows"]]
    assert shown[1:4] == [
        ("pass", "pass (estimated)"),
        ("pass", "pass (landmarks)"),
        ("warn", "warn"),
    ]
    whys = [entry["message"] for entry in data_of(page)["rows"]]
    assert sum(why is not None for why in whys) == 2
    assert "little overlap" in whys


def test_an_estimate_is_not_judged_beside_landmarks():
    """Its limits mark the cell of a case that rests on it, and of no other."""
    results = [row(kind, evidence=kind, etre_mm=2.5) for kind in ("estimated", "landmarks")]
    data = data_of(cohort(results))
    found = {
        entry["case"]: [data["columns"][place]["title"] for place in entry["unjudged"]]
        for entry in data["rows"]
    }
    assert found == {"estimated": [], "landmarks": ["Estimated landmark error, mean"]}


def test_panels_come_in_order_and_know_their_rows():
    """Panels stand in the order given, at their rows; one without a row is left out."""
    results = [row("a"), row("b"), row("c")]
    panels = {
        "c": "<section>C</section>",
        "gone": "<section>X</section>",
        "a": "<section>A</section>",
    }
    page = cohort(results, panels=panels)
    assert re.findall(r'data-row="(\d)"', page) == ["2", "0"]
    assert page.index("<section>C") < page.index("<section>A")
    assert "<section>X" not in page
    assert [entry["panel"] for entry in data_of(page)["rows"]] == [True, False, True]


def test_the_most_telling_columns_are_hidden_last():
    """Each has a rank of its own: errors before the overlap, a value before the one before it."""
    rows = [phantom_result(tre_mm=1.0, tre_aligned_mm=2.0, dice_score=0.9, dice_aligned=0.8)]
    page = render_cohort("r", rows, {}, thresholds=Quality(), provenance={}, case_links={})
    ranks = {column["label"]: column["rank"] for column in data_of(page)["columns"]}
    assert sorted(ranks, key=ranks.__getitem__) == ["TRE", "Dice", "Dice before", "TRE before"]
    assert len(set(ranks.values())) == len(ranks)
    assert min(ranks.values()) > 0


def test_columns_and_plots_say_what_they_are():
    """Every column of the table has a sentence, as have the means and the histograms."""
    results = [row(f"c{k}", dice_score=0.9, ncc=0.8, ncc_aligned=0.3) for k in range(5)]
    page = cohort(results)
    columns = {column["label"]: column for column in data_of(page)["columns"]}
    assert all(column["says"].endswith(".") for column in columns.values())
    assert columns["NCC before"]["says"].startswith("The value before registration")
    assert data_of(page)["terms"].keys() == {"Case", "Verdict", "Split", "Why"}
    assert page.count('class="term"') > 9
    assert page.count("<figure>") == 2
    assert "test and unseen cases" in page
    assert "<figure>" not in cohort(results[:4])


@pytest.mark.parametrize("results", [[], [failed("a")]])
def test_cohort_without_results(results):
    """A run where nothing came out has a page that says so."""
    page = cohort(results)
    assert "Distributions" not in page
    assert len(data_of(page)["rows"]) == len(results)


def test_page_is_self_contained():
    """The page points only to the cases' own pages, and its policy forbids fetching."""
    page = cohort([row("a", dice_score=0.9)], links={"a": "../a/qc.html"})
    assert "default-src 'none'" in page
    assert not re.search(r'https?://|@import|url\(|src="', page)
    assert "lung &lt;3&gt;" in page


@pytest.fixture
def three_rows_a_page(monkeypatch):
    monkeypatch.setattr("lungreg.qc.cohort_page.MOST_ROWS", 3)


def pages_of(results, panels=None, page_name="report-{}.html".format):
    pages = render_pages(
        "infer-7",
        results,
        panels or {},
        thresholds=THRESHOLDS,
        provenance={},
        case_links={},
        page_name=page_name,
    )
    return list(pages)


def test_a_large_cohort_goes_on_in_further_pages_the_worst_cases_first(three_rows_a_page):
    """Each case once; with pictures or trouble on the first page, in the order of the results."""
    results = [
        *(row(f"fine {number}", tre_mm=1.0) for number in range(4)),
        row("warned", Verdict.WARN),
        failed("lost"),
        row("shown"),
        row("bad", Verdict.FAIL),
    ]
    panel = '<article class="pair">its pictures</article>'
    pages = pages_of(results, {"shown": panel})
    cases = [[line["case"] for line in data_of(page)["rows"]] for page in pages]
    assert cases == [["lost", "shown", "bad"], ["fine 0", "fine 1", "warned"], ["fine 2", "fine 3"]]
    assert [line["panel"] for line in data_of(pages[0])["rows"]] == [False, True, False]
    assert 'data-row="1"' in pages[0]
    assert ["its pictures" in page for page in pages] == [True, False, False]
    assert ["<b>8</b> cases" in page for page in pages] == [True, False, False]
    assert len({json.dumps(data_of(page)["columns"]) for page in pages}) == 1


def test_pages_link_each_other(three_rows_a_page):
    """By name, and say which cases are there; without names the page stands alone."""
    results = [row(f"case {number}") for number in range(7)]
    pages = pages_of(results)
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of 3" in page
        for other in (1, 2, 3):
            here = ' aria-current="page"' if other == number else ""
            assert re.search(
                rf'href="report-{other}.html#cases" title="[^"]*"{here}>{other}<', page
            )
    assert 'title="case 3 – case 5"' in pages[0]
    alone = pages_of(results, page_name=None)[0]
    assert "report-2" not in alone
    assert "lungreg report</code>" in alone


def test_one_page_holds_what_a_browser_shows_at_once():
    """As many cases as fit have one page without a word of pages; it stays small."""
    results = [row(f"case {number:06d}", tre_mm=1.0) for number in range(MOST_ROWS)]
    (only,) = pages_of(results)
    assert "Page 1" not in only
    assert len(only) < 1_500_000
    assert len(pages_of([*results, row("one more")])) == 2
