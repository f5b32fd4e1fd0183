"""The HTML page of a run: counts, means, histograms, a table of cases, panels of some."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np

from lungreg.config import Quality
from lungreg.metrics.measures import (
    DICE,
    ETRE,
    FOLDS,
    MEASURES,
    NCC,
    SECONDS,
    TERMS,
    TRE,
    Measure,
)
from lungreg.metrics.rules import describe_rules
from lungreg.qc.case_page import COMES_FROM_REPORT
from lungreg.qc.histograms import HEIGHT, WIDTH, Histogram, histogram
from lungreg.qc.measures import HEADLINE, STATES, limits, number, numbers, state, words
from lungreg.qc.templating import render
from lungreg.records import CaseResult, Split, Status, Verdict

_DISTRIBUTIONS = (DICE, TRE, ETRE, FOLDS, NCC)
_SHOWN_FIRST = {Verdict.FAIL: 0, Verdict.REJECT: 0, Verdict.WARN: 1, Verdict.PASS: 2}


@dataclass(frozen=True, kw_only=True)
class SplitMeans:
    """One line of the summary: the mean of each measure over one split, as text."""

    name: str
    headline: bool
    cases: int
    registered: int
    means: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VerdictCount:
    """The cases of one verdict on one kind of evidence."""

    state: str
    words: str
    count: int


@dataclass(frozen=True, kw_only=True)
class PanelEntry:
    """A panel in the page with the row it belongs to."""

    result: CaseResult
    state: str
    words: str
    html: str
    row: int


def choose_panels(results: Sequence[CaseResult], count: int) -> list[str]:
    """Choose the cases that get a panel on the cohort page, the worst first.

    Cases that were registered with the verdict fail come first, then those with warn, then the
    others; within each the largest `tre_mm` first, then those without one by the largest `etre_mm`,
    then by the smallest `dice_score`, then by `ncc`. A case whose registration failed has no
    pictures.

    Args:
        results: One row per case.
        count: Most panels wanted; none where it is not positive.
    """
    drawn = [result for result in results if result.status is not Status.FAILED]
    return [result.case_id for result in sorted(drawn, key=_worst_first)[: max(count, 0)]]


def render_cohort(
    run_id: str,
    results: Sequence[CaseResult],
    panels: Mapping[str, str],
    *,
    thresholds: Quality,
    provenance: Mapping[str, str],
    case_links: Mapping[str, str],
) -> str:
    """The self-contained HTML page of a run.

    Args:
        run_id: The run.
        results: One row per case.
        panels: Case id to panel (`case_page.extract_panel`), in the order of the page. They go
            into the page as they are: take them from pages that lungreg wrote.
        thresholds: Of the verdicts, for the list of rules and the colours of the table.
        provenance: What made the run: model and version, config hash, version of lungreg, ...
        case_links: Case id to the path of its page, relative to this one, "/" between folders
            and nothing quoted.
    """
    headline = [r for r in results if r.split in HEADLINE and r.status is Status.SUCCESS]
    shown = headline or [result for result in results if result.status is Status.SUCCESS]
    rows = {result.case_id: row for row, result in enumerate(results)}
    entries = [
        _panel(results[row], html, row)
        for name, html in panels.items()
        if (row := rows.get(name)) is not None
    ]
    by_name: Mapping[str, float] = thresholds.model_dump()
    values: dict[str, object] = {
        "run_id": run_id,
        "total": len(results),
        "counts": _counts(results),
        "splits": _split_means(results),
        "means": [(_with_unit(measure), measure.says) for measure in _means_of()],
        "terms": TERMS,
        "rules": describe_rules(thresholds),
        "histograms": _histograms(shown, by_name),
        "histogram_of": "test and unseen cases" if headline else "all cases",
        "plot": {"width": WIDTH, "height": HEIGHT},
        "states": STATES,
        "data": _table(results, entries, by_name, case_links),
        "panels": entries,
        "provenance": dict(provenance),
    }
    return render("cohort.html.j2", values)


def _panel(result: CaseResult, html: str, row: int) -> PanelEntry:
    return PanelEntry(result=result, state=state(result), words=words(result), html=html, row=row)


def _counts(results: Sequence[CaseResult]) -> list[VerdictCount]:
    """Cases by verdict and evidence, in the order of `STATES`; a state of no case counts none."""
    found = Counter((state(result), words(result)) for result in results)
    for name, shown in STATES.items():
        if not any(state_ == name for state_, _ in found):
            found[name, shown] = 0
    order = sorted(found, key=lambda pair: ([*STATES].index(pair[0]), -found[pair], pair[1]))
    return [
        VerdictCount(state=name, words=shown, count=found[name, shown]) for name, shown in order
    ]


def _worst_first(result: CaseResult) -> tuple[int, int, float, str]:
    verdict = _SHOWN_FIRST[result.verdict]
    for place, (measure, sign) in enumerate(((TRE, -1.0), (ETRE, -1.0), (DICE, 1.0), (NCC, 1.0))):
        value = number(result, measure.name)
        if value is not None:
            return verdict, place, sign * value, result.case_id
    return verdict, 4, 0.0, result.case_id


def _means_of() -> tuple[Measure, ...]:
    return (DICE, TRE, ETRE, FOLDS, NCC, SECONDS)


def _with_unit(measure: Measure) -> str:
    return f"{measure.short}, {measure.unit}" if measure.unit else measure.short


def _split_means(results: Sequence[CaseResult]) -> list[SplitMeans]:
    order = (*HEADLINE, *(split for split in Split if split not in HEADLINE))
    lines = []
    for split in order:
        cases = [result for result in results if result.split is split]
        registered = [result for result in cases if result.status is Status.SUCCESS]
        if cases:
            line = SplitMeans(
                name=split.value,
                headline=split in HEADLINE,
                cases=len(cases),
                registered=len(registered),
                means=tuple(_mean_text(registered, measure) for measure in _means_of()),
            )
            lines.append(line)
    return lines


def _mean_text(results: Sequence[CaseResult], measure: Measure) -> str:
    """Mean after registration, behind the mean before it over the same cases."""
    after = numbers(results, measure.name)
    text = measure.text(_mean(after))
    if measure.aligned:
        both = [result for result in results if number(result, measure.name) is not None]
        before = numbers(both, measure.aligned)
        if before and len(before) == len(after):
            text = f"{measure.text(_mean(before))} → {text}"
    return text if len(after) in (0, len(results)) else f"{text} (n = {len(after)})"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _histograms(results: Sequence[CaseResult], thresholds: Mapping[str, float]) -> list[Histogram]:
    drawn = (histogram(measure, results, thresholds) for measure in _DISTRIBUTIONS)
    return [one for one in drawn if one is not None]


def _table(
    results: Sequence[CaseResult],
    entries: Sequence[PanelEntry],
    thresholds: Mapping[str, float],
    case_links: Mapping[str, str],
) -> dict[str, object]:
    """The data that the page's script builds its table from: columns, and rows in order.

    A measure that no case has gets no column: most cohorts have neither landmarks nor masks.
    """
    measures = [measure for measure in _columns() if numbers(results, measure.name)]
    with_panel = {entry.row for entry in entries}
    columns = [
        {
            "label": measure.short,
            "unit": measure.unit,
            "title": measure.label,
            "says": measure.says,
            "decimals": measure.decimals,
            "higher": measure.higher_is_better,
            "limits": limits(thresholds, measure),
        }
        for measure in measures
    ]
    rows = [
        {
            "case": result.case_id,
            "split": result.split.value,
            "state": state(result),
            "words": words(result),
            "values": [_short(number(result, measure.name), measure) for measure in measures],
            "unjudged": _unjudged(result, measures),
            "code": result.error_code,
            "message": result.error_message or result.reasons,
            "panel": row in with_panel,
            "link": _quoted(case_links.get(result.case_id)),
        }
        for row, result in enumerate(results)
    ]
    named = {name: TERMS[name] for name in ("Case", "Verdict", "Split", "Why")}
    return {"columns": columns, "rows": rows, "terms": named}


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
