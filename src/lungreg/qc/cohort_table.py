"""The table of cases of a cohort's page as data: which columns it has, and its rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from lungreg.metrics.measures import ETRE, MEASURES, SECONDS, TERMS, Measure
from lungreg.qc.case_page import COMES_FROM_REPORT
from lungreg.qc.measures import limits, number, numbers, state, words
from lungreg.records import CaseResult

_TELLING = (
    *("tre_mm", "etre_mm", "dice_score", "etre_p95_mm", "tre_p95_mm", "etre_found_pct"),
    *("fold_pct", "ncc", "hd95_mm"),
)
"""The most telling measures. Where a window is too narrow the others give way first."""


def shown_measures(results: Sequence[CaseResult]) -> list[Measure]:
    """The measures that get a column: most cohorts have neither landmarks nor masks."""
    return [measure for measure in _columns() if numbers(results, measure.name)]


def table_data(
    results: Sequence[CaseResult],
    measures: Sequence[Measure],
    *,
    with_panel: Collection[int],
    thresholds: Mapping[str, float],
    case_links: Mapping[str, str],
) -> dict[str, object]:
    """The data that a page's script builds its table from: columns, and rows in order.

    Args:
        results: The cases of the page.
        measures: One column each.
        with_panel: Places in `results` of the cases that have a panel in the page.
        thresholds: By key of `quality`, for the colours.
        case_links: Case id to the path of its page.
    """
    ranks = _ranks()
    columns = [
        {
            "label": measure.short,
            "unit": measure.unit,
            "title": measure.label,
            "says": measure.says,
            "decimals": measure.decimals,
            "higher": measure.higher_is_better,
            "limits": limits(thresholds, measure),
            "rank": ranks[measure.name],
        }
        for measure in measures
    ]
    rows = [
        {
            **_row(result, measures),
            "panel": row in with_panel,
            "link": _quoted(case_links.get(result.case_id)),
        }
        for row, result in enumerate(results)
    ]
    named = {name: TERMS[name] for name in ("Case", "Verdict", "Split", "Why")}
    return {"columns": columns, "rows": rows, "terms": named}


def _ranks() -> dict[str, int]:
    """By name, from 1 for the most telling measure: what has the highest rank is hidden first."""
    names = dict.fromkeys([*_TELLING, *(column.name for column in _columns())])
    return {name: rank for rank, name in enumerate(names, start=1)}


def _row(result: CaseResult, measures: Sequence[Measure]) -> dict[str, object]:
    return {
        "case": result.case_id,
        "split": result.split.value,
        "state": state(result),
        "words": words(result),
        "values": [_short(number(result, measure.name), measure) for measure in measures],
        "unjudged": _unjudged(result, measures),
        "code": result.error_code,
        "message": result.error_message or result.reasons,
    }


def _unjudged(result: CaseResult, measures: Sequence[Measure]) -> list[int]:
    """The columns whose limits do not count in a case: that of an estimate it does not rest on."""
    if result.evidence in (None, "estimated"):
        return []
    return [place for place, measure in enumerate(measures) if measure is ETRE]


def _columns() -> tuple[Measure, ...]:
    """The measures after registration, behind some of them their value before it."""
    found: list[Measure] = []
    for measure in MEASURES:
        found.append(measure)
        if measure.aligned:
            before = replace(
                measure,
                name=measure.aligned,
                label=f"{measure.label}, before registration",
                short=f"{measure.short} before",
                says=f"The value before registration, after the alignment alone. {measure.says}",
                higher_is_better=None,
            )
            found.append(before)
    return (*found, SECONDS)


def _short(value: float | None, measure: Measure) -> float | None:
    """A value with two decimals more than shown: enough to sort by, a third of the bytes."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, measure.decimals + 2)


def _quoted(path: str | None) -> str | None:
    """A case's page as a link; ":" is quoted too, so that no path can be a script."""
    if path is None:
        return None
    return quote(path.encode("utf-8", "surrogateescape"), safe="/") + COMES_FROM_REPORT
