"""The HTML pages of a run: counts, means, histograms, a table of cases, panels of some."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lungreg.config import Quality
from lungreg.metrics.measures import DICE, ETRE, FOLDS, NCC, SECONDS, TERMS, TRE, Measure
from lungreg.metrics.rule_list import describe_rules
from lungreg.qc.cohort_table import shown_measures, table_data
from lungreg.qc.histograms import HEIGHT, WIDTH, Histogram, histogram
from lungreg.qc.measures import HEADLINE, STATES, number, numbers, state, words
from lungreg.qc.templating import render
from lungreg.records import CaseResult, Split, Status, Verdict

MOST_ROWS = 2000
"""Cases of one page: less than a megabyte."""
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


@dataclass(frozen=True, kw_only=True)
class PageLink:
    """One of the pages of a run."""

    number: int
    rows: int
    cases: str
    """The first and the last of its cases by name."""
    file: str | None


def choose_panels(results: Sequence[CaseResult], count: int) -> list[str]:
    """Choose the cases that get a panel on the cohort page, the worst first.

    Cases that were registered with the verdict fail come first, then those with warn, then the
    others; within each the largest `tre_mm` first, then those without one by the largest `etre_mm`,
    before them those of which too few places find a partner to tell it, then by the smallest
    `dice_score`, then by `ncc`. A case whose registration failed has no pictures.

    Args:
        results: One row per case.
        count: Most panels wanted; none where it is not positive.
    """
    drawn = [result for result in results if result.status is not Status.FAILED]
    return [result.case_id for result in sorted(drawn, key=_worst_first)[: max(count, 0)]]


def render_pages(
    run_id: str,
    results: Sequence[CaseResult],
    panels: Mapping[str, str],
    *,
    thresholds: Quality,
    provenance: Mapping[str, str],
    case_links: Mapping[str, str],
    page_name: Callable[[int], str] | None,
) -> Iterator[str]:
    """The pages of a run, `MOST_ROWS` cases each: a browser shows no hundred thousand.

    The first one has what the page of a small run has, and of the cases those with a panel and the
    worst; the table goes on in the others.

    Args:
        run_id: The run.
        results: One row per case.
        panels: Case id to panel (`case_page.extract_panel`), in the order of the page. They go
            into the page as they are: take them from pages that lungreg wrote.
        thresholds: Of the verdicts, for the list of rules and the colours of the table.
        provenance: What made the run: model and version, config hash, version of lungreg, ...
        case_links: Case id to the path of its page, relative to this one, "/" between folders
            and nothing quoted.
        page_name: The file of a page by its number, from 1 on, for the links; None for none.
    """
    parts = _parted(results, panels)
    by_name: Mapping[str, float] = thresholds.model_dump()
    measures = shown_measures(results)
    common: dict[str, object] = {
        "run_id": run_id,
        "total": len(results),
        "pages": [_link(page, part, page_name) for page, part in enumerate(parts, start=1)],
        "counts": _counts(results),
        "splits": _split_means(results),
        "means": [(_with_unit(measure), measure.says) for measure in _means_of()],
        "terms": TERMS,
        "states": STATES,
        "provenance": dict(provenance),
        **_plots(results, by_name),
        "rules": describe_rules(thresholds),
    }
    for page, part in enumerate(parts, start=1):
        entries = _entries(part, panels) if page == 1 else []
        data = table_data(
            part,
            measures,
            with_panel={entry.row for entry in entries},
            thresholds=by_name,
            case_links=case_links,
        )
        yield render("cohort.html.j2", {**common, "number": page, "data": data, "panels": entries})


def _parted(results: Sequence[CaseResult], panels: Collection[str]) -> list[Sequence[CaseResult]]:
    """The cases of each page: those with a panel first, then the worst."""
    if len(results) <= MOST_ROWS:
        return [results]
    worst = [*reversed(STATES)]

    def place(row: int) -> tuple[bool, int, int]:
        return results[row].case_id not in panels, worst.index(state(results[row])), row

    order = sorted(range(len(results)), key=place)
    cuts = range(0, len(order), MOST_ROWS)
    return [[results[row] for row in sorted(order[cut : cut + MOST_ROWS])] for cut in cuts]


def _link(
    page: int, part: Sequence[CaseResult], page_name: Callable[[int], str] | None
) -> PageLink:
    cases = f"{part[0].case_id} – {part[-1].case_id}" if part else ""
    file = None if page_name is None else page_name(page)
    return PageLink(number=page, rows=len(part), cases=cases, file=file)


def _entries(part: Sequence[CaseResult], panels: Mapping[str, str]) -> list[PanelEntry]:
    rows = {result.case_id: row for row, result in enumerate(part)}
    return [
        _panel(part[row], html, row)
        for name, html in panels.items()
        if (row := rows.get(name)) is not None
    ]


def _plots(results: Sequence[CaseResult], thresholds: Mapping[str, float]) -> dict[str, object]:
    """The histograms of the headline's cases, of all where there are none."""
    registered = [result for result in results if result.status is Status.SUCCESS]
    headline = [result for result in registered if result.split in HEADLINE]
    return {
        "histograms": _histograms(headline or registered, thresholds),
        "histogram_of": "test and unseen cases" if headline else "all cases",
        "plot": {"width": WIDTH, "height": HEIGHT},
    }


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
        if measure is ETRE and result.etre_found_pct is not None:
            return verdict, place, -math.inf, result.case_id
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
