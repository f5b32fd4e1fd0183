"""The page of a case as HTML: self-contained, small, and with names that are text."""

from __future__ import annotations

import dataclasses
import html
import re
import subprocess
import sys

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.metrics.measures import MEASURES, MOMENTS
from lungreg.qc.case_page import MOST_BYTES, extract_panel, metric_rows, render_case
from lungreg.records import LUNG_PARTS, RESEARCH_USE, RegionError, Remarks, Verdict
from lungreg.registration.lung_regions import region_names
from lungreg.registration.lungs import ScanLungs
from lungreg.spatial.geometry import Grid
from tests.qc.phantom import phantom_case, phantom_landmarks, phantom_places, phantom_result

HOSTILE = "a\"b'<script>alert(1)</script><!-- lungreg panel ends -->&amp;{{ 7*7 }}\nÅsa 肺"


@pytest.fixture(scope="module")
def images():
    return phantom_case()


def test_page_says_what_it_is(images):
    """Case, verdict, numbers, where it came from and what it is not are all on the page."""
    result = phantom_result(
        "case_042", dice_score=0.9512, dice_aligned=0.87, tre_mm=2.345, ncc=float("nan")
    )
    result = dataclasses.replace(result, verdict=Verdict.WARN)
    page = render_case(result, images, provenance={"model": "lung_ct_registration, version 3"})
    wanted = ("case_042", "0.951", "0.870", "2.35", "version 3", RESEARCH_USE, "2026-01-02")
    assert [text for text in wanted if text not in page] == []
    assert '<span class="badge warn">warn</span>' in page
    assert "nan" not in re.sub(r'(src|d)="[^"]*"', "", page).lower()


def test_page_says_how_hidden_places_are_drawn(images):
    """What a moving scan does not show looks like a large difference, and is none."""
    page = " ".join(render_case(phantom_result(), images, provenance={}).split())
    assert "Where the moving scan shows nothing it is drawn as air" in page


def test_page_is_self_contained(images):
    """Nothing on the page points anywhere, and its policy forbids fetching."""
    page = render_case(phantom_result(), images, provenance={})
    sources = re.findall(r'(?:src|href|action|data)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\(", page)


def test_hostile_text_is_text(images):
    """A case id or a value of the provenance can hold anything and stays text."""
    result = phantom_result(HOSTILE)
    page = render_case(result, images, provenance={"<b>key": '"><img src=x onerror=alert(1)>'})
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>key" not in page
    assert HOSTILE in html.unescape(page)
    assert extract_panel(page).endswith("</section>")


def test_case_id_that_is_no_text(images):
    """A name with undecodable bytes still gives a page that can be written."""
    page = render_case(phantom_result("a\udcff"), images, provenance={})
    assert b"a?" in page.encode()


def test_panel_is_what_lies_between_the_markers(images):
    """The panel holds pictures, metrics and origin, but no script, style or id to clash."""
    panel = extract_panel(render_case(phantom_result(), images, provenance={"config": "abc123"}))
    assert panel.startswith("<section")
    assert panel.endswith("</section>")
    assert panel.count('class="qc-slider"') == 3
    assert "abc123" in panel
    assert not re.search(r"<script|<style|\sid=", panel)


def test_page_says_why_and_from_where(images):
    """Reasons, lungs and notes stand in the panel, before its pictures, as text; else nothing."""
    result = dataclasses.replace(phantom_result(), verdict=Verdict.FAIL)
    remarks = Remarks(
        reasons=("Dice 0.7 is below 0.88", "<b>two"), lungs_from="threshold", notes=("odd & old",)
    )
    page = render_case(result, images, provenance={}, remarks=remarks)
    panel = extract_panel(page)
    shown = panel[: panel.index("<article")]
    wanted = ("Why fail", "Dice 0.7 is below 0.88", "&lt;b&gt;two", "odd &amp; old")
    assert [text for text in wanted if text not in shown] == []
    assert "Lungs of the fixed scan</button></dt><dd>found by threshold</dd>" in shown
    bare = render_case(phantom_result(), images, provenance={})
    assert '<dl class="remarks">' not in bare


def test_page_marks_places_and_names_the_worst_part(images):
    """Circles with the class of their error, a switch and a legend; parts by name, worst first."""
    parts = [("left lower", 6.2, 9.1, 81.0), ("right upper", 1.2, 2.0, 64.4)]
    regions = tuple(
        RegionError(
            region=name,
            places=100,
            partners=30,
            found_pct=found,
            mean_mm=mean,
            median_mm=mean,
            p95_mm=p95,
            beyond_3mm_pct=0.0,
            beyond_5mm_pct=0.0,
        )
        for name, mean, p95, found in parts
    )
    result = dataclasses.replace(
        phantom_result(etre_mm=3.21, etre_aligned_mm=8.5), evidence="estimated"
    )
    page = render_case(
        result, images, provenance={}, remarks=Remarks(regions=regions), places=phantom_places()
    )
    panel = extract_panel(page)
    assert '<span class="badge pass">pass (estimated)</span>' in page
    for kind in ("mm0", "mm8", "alone"):
        assert re.search(
            rf'<g class="{kind}" fill="[^"]+"><circle cx="\d+" cy="\d+" r="\d+">', panel
        )
    assert panel.count('<svg class="lines places"') == 3
    assert panel.count('type="checkbox" class="marks"') == 1
    assert ">Estimated error</button></b>" in panel
    listed = re.findall(r"<dd>([^<]*(?:found|partner))</dd>", panel)
    assert listed == [
        "left lower: 6.2 mm (95 % below 9.1 mm), 81 % found",
        "right upper: 1.2 mm (95 % below 2.0 mm), 64 % found",
        "right lower: too few places found a partner",
        "left upper: too few places found a partner",
    ]
    row = {row.label: row for row in metric_rows(result)}["Estimated landmark error, mean"]
    assert (row.initial, row.aligned, row.registered) == ("", "8.50", "3.21")
    bare = render_case(phantom_result(), images, provenance={})
    marks = ("<circle", 'class="marks"', ">Estimated error<")
    assert not [text for text in marks if text in bare]


def test_an_error_that_is_not_known_has_no_colour(images):
    """Of scans of two patients a few places find a partner near by: they would be green."""
    result = phantom_result(etre_found_pct=5.2)
    panel = extract_panel(render_case(result, images, provenance={}, places=phantom_places()))
    assert '<g class="alone"' in panel
    assert '<g class="mm' not in panel
    assert "not known: 5 % of the places deep in the lungs found a partner" in panel


def test_page_marks_landmarks(images):
    """Crosses and squares on all slices, a switch, a legend; estimates wait for theirs."""
    page = render_case(
        phantom_result(tre_mm=3.0),
        images,
        provenance={},
        places=phantom_places(),
        landmarks=phantom_landmarks(),
    )
    panel = extract_panel(page)
    assert panel.count('<svg class="lines landmarks"') == 3
    assert panel.count('<rect class="after"') == panel.count('<rect class="before"') > 20
    assert '<input type="checkbox" class="landmarks" checked>' in panel
    assert '<input type="checkbox" class="marks">' in panel
    assert 'data-marks="off"' in panel
    assert ">Landmark error</button></b>" in panel
    bare = extract_panel(render_case(phantom_result(), images, provenance={}))
    assert not [text for text in ("<rect", 'class="landmarks"', ">Landmark error<") if text in bare]


def test_every_row_has_a_sentence(images):
    """Measures, their columns and the facts around them say what they are, to a keyboard too."""
    remarks = Remarks(reasons=("one",), lungs_from="mask", notes=("two",))
    facts = {"model": "a", "alignment": "lungs", "made with": "b"}
    panel = extract_panel(render_case(phantom_result(), images, provenance=facts, remarks=remarks))
    said = dict(
        re.findall(r'<button type="button" class="term" data-says="([^"]+)">([^<]+)</', panel)
    )
    named = {html.unescape(label): html.unescape(says) for says, label in said.items()}
    wanted = {measure.label: measure.says for measure in MEASURES} | MOMENTS
    assert wanted.items() <= named.items()
    assert {"Why pass", "Notes", "alignment", "made with", "split", "case"} <= named.keys()
    assert not re.search(r"<(dt|figcaption|th( [^>]*)?)>(?!<button|Measure|Unit)", panel)


def test_compared_with_the_fixed_scan_first(images):
    """The first choice is the target; the warped scan is named on its own side."""
    panel = extract_panel(render_case(phantom_result(), images, provenance={}))
    assert 'data-base="fixed" data-mode="wipe"' in panel
    assert re.findall(r'<option value="(\w+)">', panel)[0] == "fixed"
    assert panel.count('<span class="tag">warped</span>') == 3


def test_link_back_to_the_report(images):
    """A page of a run knows where its report is; one of a single pair has no link."""
    page = render_case(phantom_result(), images, provenance={}, report="../../report.html")
    assert '<p class="back" id="report"><a href="../../report.html">' in page
    assert "report.html" not in extract_panel(page)
    assert "<a " not in render_case(phantom_result(), images, provenance={})


def test_the_rules_unfold_below_the_panel(images):
    """A single pair has no page of a run that lists them."""
    page = render_case(phantom_result(), images, provenance={}, rules=("fail: Dice below 0.88",))
    assert "<li>fail: Dice below 0.88</li>" in page
    assert "Dice below" not in extract_panel(page)
    assert "Rules of the verdict" not in render_case(phantom_result(), images, provenance={})


def test_the_parts_that_are_listed_are_those_that_are_measured():
    """Names of places spread over two lungs are the four that a page lists, and no others."""
    lungs = np.ones((8, 8, 8), dtype=bool)
    grid = Grid(shape=(8, 8, 8), affine=np.diag([10.0, 10.0, 10.0, 1.0]))
    scan = ScanLungs(inside=lungs, grid=grid, known_from="mask")
    corners = np.array([[x, 35.0, z] for x in (5.0, 65.0) for z in (5.0, 65.0)])
    assert set(region_names(corners, scan)) == set(LUNG_PARTS)


def test_page_without_lungs_speaks_of_the_whole_scan():
    """No measure is said to be of the lungs where none were found, and no outline is named."""
    images = phantom_case(masks=False)
    remarks = Remarks(lungs_from="whole scan")
    page = render_case(phantom_result(ncc=0.9), images, provenance={}, remarks=remarks)
    assert "Lungs of the fixed scan</button></dt><dd>not found</dd>" in page
    assert "Correlation in the whole scan (NCC)" in page
    assert not [text for text in ("in the lungs", "right lung", "one lung") if text in page]
    assert "lungs of fixed" not in page
    assert "lungs of moving" not in page


@pytest.mark.parametrize("page", ["", "<html></html>", "<!-- lungreg panel begins --> cut off"])
def test_page_without_a_panel(page):
    """A page that lungreg did not write, or only in part, is refused."""
    with pytest.raises(DataError, match="one panel"):
        extract_panel(page)


def test_noise_keeps_within_the_limit():
    """A page of pure noise at full size is drawn with fewer pixels, not with more than 1 MB."""
    case = phantom_case((96, 96, 96))
    rng = np.random.default_rng(0)
    noise = [rng.random(case.grid.shape, dtype=np.float32) for _ in range(4)]
    noisy = dataclasses.replace(
        case, fixed=noise[0], aligned=noise[1], warped=noise[2], jacobian=noise[3] * 3 - 0.5
    )
    page = render_case(phantom_result(), noisy, provenance={})
    assert 200_000 < len(page.encode()) <= MOST_BYTES


def test_metric_rows_leave_out_what_does_not_exist():
    """Columns that a measure never has are empty; values that a case lacks are en dashes."""
    rows = {row.label: row for row in metric_rows(phantom_result(tre_mm=1.0))}
    tre = rows["Landmark error (TRE), mean"]
    assert (tre.initial, tre.aligned, tre.registered) == ("–", "–", "1.00")
    folds = rows["Folded voxels in the lungs"]
    assert (folds.initial, folds.aligned, folds.registered) == ("", "", "–")


def test_pages_need_no_heavy_library():
    """Importing the pages loads neither torch nor monai, ray, mlflow or pyplot."""
    code = (
        "import sys, lungreg.qc.case_page, lungreg.qc.cohort_page, lungreg.qc.figure;"
        "heavy = {'torch', 'monai', 'ray', 'mlflow', 'matplotlib.pyplot'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
