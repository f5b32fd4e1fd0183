"""The HTML page of one case, and the panel in it that a cohort page shows as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lungreg.errors import DataError
from lungreg.metrics.measures import MEASURES, MOMENTS, TERMS
from lungreg.qc.colours import DIFFERENCE, DIVERGING, ERROR, FOLDED, LENGTH
from lungreg.qc.grid_lines import GRID_MM
from lungreg.qc.measures import number, state, words
from lungreg.qc.pictures import JACOBIAN_SPAN, LONGEST_PX, CasePictures, draw_case
from lungreg.qc.place_marks import NEAR_MM, WORST_MM
from lungreg.qc.templating import render
from lungreg.records import LUNG_PARTS, CaseResult, Remarks

if TYPE_CHECKING:
    from lungreg.registration.correspondences import LandmarkEstimate
    from lungreg.registration.images import PairImages
    from lungreg.registration.landmark_places import LandmarkPlaces

PANEL_BEGINS = "<!-- lungreg panel begins -->"
PANEL_ENDS = "<!-- lungreg panel ends -->"
"""No value in a page can imitate the markers: values of a template are escaped."""

COMES_FROM_REPORT = "#report"
"""Behind the path of a case's page in a link of the cohort's: it shows the link back."""

MOST_BYTES = 1_000_000
"""Largest case page: a cohort page may contain dozens of panels."""

_LUNGS = {
    "mask": "as its mask gives them",
    "threshold": "found by threshold",
    "whole scan": "not found",
}
_NO_REMARKS = Remarks()
_OBLIQUE_DEG = 2.0
_SMALLEST_PX = 100


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One line of the metrics table, as text."""

    label: str
    says: str
    """What it is, in a sentence."""
    unit: str
    initial: str
    aligned: str
    registered: str


def render_case(
    result: CaseResult,
    images: PairImages,
    *,
    provenance: Mapping[str, str],
    remarks: Remarks = _NO_REMARKS,
    places: LandmarkEstimate | None = None,
    landmarks: LandmarkPlaces | None = None,
    report: str | None = None,
    rules: Sequence[str] = (),
) -> str:
    """The self-contained HTML page of a registered case.

    Args:
        result: The case's row.
        images: The arrays its pictures are drawn from.
        provenance: What made it: model and version, run, config hash, version of lungreg, ...
        remarks: Why the verdict is what it is, where the lungs came from, notes, and the estimated
            error by part of the lungs.
        places: Distinctive places and their estimated errors, to mark on the slices.
        landmarks: Landmarks and their errors, to mark on the slices.
        report: Path from this page to that of the run. The link back is seen by those who come
            from there, with `COMES_FROM_REPORT` behind the page's path: only then is there one.
        rules: The rules of the verdict (`metrics.rule_list`), to unfold below the panel.

    Returns:
        A page that fetches nothing, of at most `MOST_BYTES`: noise makes pictures large, and
        then they are drawn with fewer pixels. Any text in it is escaped. What lies between its
        marker comments is the panel (`extract_panel`).
    """
    if places is not None and _error_unknown(result):
        places = replace(places, errors_mm=np.full_like(places.errors_mm, np.nan))
    longest_px, page = LONGEST_PX * 3 // 2, None
    while page is None or (len(page.encode()) > MOST_BYTES and longest_px > _SMALLEST_PX):
        longest_px = longest_px * 2 // 3
        pictures = draw_case(images, places, landmarks, longest_px=longest_px)
        beside: dict[str, object] = {"report": report, "rules": rules}
        page = _page(result, pictures, provenance, remarks, beside)
    return page


def _page(
    result: CaseResult,
    pictures: CasePictures,
    provenance: Mapping[str, str],
    remarks: Remarks,
    beside: Mapping[str, object],
) -> str:
    where = _measured_in(remarks)
    values: dict[str, object] = {
        "result": result,
        "state": state(result),
        "words": words(result),
        "pictures": pictures,
        "oblique": pictures.tilt_deg > _OBLIQUE_DEG,
        **beside,
        "anchor": COMES_FROM_REPORT.removeprefix("#"),
        "terms": {name: _of(where, says) for name, says in TERMS.items()},
        "moments": MOMENTS,
        "metrics": metric_rows(result, measured_in=where),
        "remarks": remarks,
        "lungs": _LUNGS.get(remarks.lungs_from or ""),
        "provenance": dict(provenance),
        "unknown": _unknown_parts(remarks),
        "error_unknown": _error_unknown(result),
        "marked": any(view.places for view in pictures.views),
        "landmarked": any(view.landmarks for view in pictures.views),
        "worst_mm": WORST_MM,
        "near_mm": NEAR_MM,
        "ramps": {
            "difference": DIFFERENCE.css,
            "length": LENGTH.css,
            "jacobian": DIVERGING.css,
            "error": ERROR.css,
        },
        "colours": {"good": ERROR.anchors[0], "bad": ERROR.anchors[-1]},
        "folded_colour": "#{:02x}{:02x}{:02x}".format(*FOLDED),
        "grid_mm": GRID_MM,
        "jacobian_span": JACOBIAN_SPAN,
        "panel_begins": PANEL_BEGINS,
        "panel_ends": PANEL_ENDS,
    }
    return render("case.html.j2", values)


def extract_panel(html: str) -> str:
    """The panel of a case page: HTML without scripts or styles, fit for a cohort page.

    Raises:
        DataError: Not a page of `render_case`.
    """
    _, begins, rest = html.partition(PANEL_BEGINS)
    panel, ends, _ = rest.partition(PANEL_ENDS)
    if not (begins and ends):
        msg = "a case page holds one panel between its marker comments"
        raise DataError(msg, got="a page without one", mend="write the case's qc.html again")
    return panel.strip()


def metric_rows(result: CaseResult, *, measured_in: str = "the lungs") -> list[MetricRow]:
    """The metrics table of a case; what the case lacks is an en dash.

    Args:
        result: The case's row.
        measured_in: Where its images were compared, in the labels' words.
    """
    return [
        MetricRow(
            label=_of(measured_in, measure.label),
            says=_of(measured_in, measure.says),
            unit=measure.unit,
            initial=measure.text(number(result, measure.initial)) if measure.initial else "",
            aligned=measure.text(number(result, measure.aligned)) if measure.aligned else "",
            registered=measure.text(number(result, measure.name)),
        )
        for measure in MEASURES
    ]


def _error_unknown(result: CaseResult) -> bool:
    """Whether so few places found a partner that their distances say nothing of the error."""
    return result.etre_mm is None and result.etre_found_pct is not None


def _unknown_parts(remarks: Remarks) -> list[str]:
    """Parts of the lungs without an estimated error, where others have one."""
    known = {region.region for region in remarks.regions}
    return [part for part in LUNG_PARTS if part not in known] if known else []


def _of(measured_in: str, text: str) -> str:
    return text.replace("in the lungs", f"in {measured_in}")


def _measured_in(remarks: Remarks) -> str:
    return "the whole scan" if remarks.lungs_from == "whole scan" else "the lungs"
