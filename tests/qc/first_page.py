"""The page of a run by itself, as a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lungreg.config import Quality
from lungreg.qc.cohort_page import render_pages
from lungreg.records import CaseResult


def render_cohort(
    run_id: str,
    results: Sequence[CaseResult],
    panels: Mapping[str, str],
    *,
    thresholds: Quality,
    provenance: Mapping[str, str],
    case_links: Mapping[str, str],
) -> str:
    """The only page of a small run, the first of a large one; see `render_pages`."""
    pages = render_pages(
        run_id,
        results,
        panels,
        thresholds=thresholds,
        provenance=provenance,
        case_links=case_links,
        page_name=None,
    )
    return next(pages)
