"""Distributions of a metric over a cohort as inline SVG that follows the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungreg.metrics.measures import Measure
from lungreg.qc.measures import limits, number, numbers
from lungreg.records import CaseResult

WIDTH, HEIGHT = 420.0, 150.0
"""Of the plot, in SVG units; the ticks lie below."""

FEWEST = 5
"""Results that a distribution is drawn of at least."""

_BINS = 30
_WIDER = 0.02


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bin: a rectangle and its tooltip."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A threshold or a tick."""

    x: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Everything that the template needs to draw one distribution."""

    title: str
    says: str
    """What the measure is, in a sentence."""
    unit: str
    after: tuple[Bar, ...]
    before: tuple[Bar, ...]
    """After the initial alignment; empty where the metric has no such value."""
    limits: Mapping[str, float]
    """Positions of "warn" and "fail"."""
    ticks: tuple[Line, ...]
    note: str


def histogram(
    measure: Measure, results: Sequence[CaseResult], thresholds: Mapping[str, float]
) -> Histogram | None:
    """Bins of one measure before and after registration, on one axis that starts at zero.

    Returns:
        None where fewer than `FEWEST` results have the measure: of a few, the table says more.
    """
    after = numbers(results, measure.name)
    if len(after) < FEWEST:
        return None
    before = [
        value
        for result in results
        if number(result, measure.name) is not None
        and (value := number(result, measure.aligned)) is not None
    ]
    edges = _edges(after + before)
    tallest = max(_counts(values, edges).max() for values in (after, before or after))
    places = {
        level: x
        for level, at in limits(thresholds, measure).items()
        if 0.0 <= (x := _place(at, edges)) <= WIDTH
    }
    note = f"median {measure.text(float(np.median(after)))}"
    if before:
        note = f"median {measure.text(float(np.median(before)))} before, {note[7:]} after"
    return Histogram(
        title=measure.label,
        says=measure.says,
        unit=measure.unit,
        after=_bars(measure, after, edges, int(tallest)),
        before=_bars(measure, before, edges, int(tallest)),
        limits=places,
        ticks=_ticks(edges),
        note=f"{note}, n = {len(after)}",
    )


def _edges(values: list[float]) -> NDArray[np.float64]:
    """From zero, or from the lowest value where that is below it."""
    low, high = min(0.0, *values), max(0.0, *values)
    if high - low < 1e-9:
        high = low + _WIDER
    return np.linspace(low, high, _BINS + 1)


def _counts(values: list[float], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.asarray(np.histogram(values, bins=edges)[0])


def _place(value: float, edges: NDArray[np.float64]) -> float:
    return float((value - edges[0]) / (edges[-1] - edges[0]) * WIDTH)


def _bars(
    measure: Measure, values: list[float], edges: NDArray[np.float64], tallest: int
) -> tuple[Bar, ...]:
    counts = _counts(values, edges)
    width = WIDTH / _BINS
    return tuple(
        Bar(
            x=round(position * width, 2),
            y=round(HEIGHT * (1 - count / tallest), 2),
            width=round(width, 2),
            height=round(HEIGHT * count / tallest, 2),
            title=f"{count} from {measure.text(edges[position])} "
            f"to {measure.text(edges[position + 1])} {measure.unit}".strip(),
        )
        for position, count in enumerate(counts.tolist())
        if count
    )


def _ticks(edges: NDArray[np.float64]) -> tuple[Line, ...]:
    """About five round numbers: 1, 2 or 5 times a power of ten apart."""
    span = float(edges[-1] - edges[0])
    power = 10.0 ** np.floor(np.log10(span / 5))
    step = next(step * power for step in (1.0, 2.0, 5.0, 10.0) if span / (step * power) <= 6)
    decimals = max(0, -int(np.floor(np.log10(step))))
    first, last = np.ceil(edges[0] / step), np.floor(edges[-1] / step)
    return tuple(
        Line(
            x=round(_place(at * step, edges), 2),
            label=f"{at * step:.{decimals}f}".replace("-", "\N{MINUS SIGN}"),
        )
        for at in np.arange(first, last + 1).tolist()
    )
