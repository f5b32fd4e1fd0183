"""The glossary of measures in Markdown: the measure table, thresholds, calibration results."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from statistics import quantiles
from typing import Any

from docs.calibration import calibration_rows
from lungreg.config import Quality
from lungreg.metrics.measures import REGIONS, REPORTED, Measure, Reported
from lungreg.metrics.rules import thresholds_of
from lungreg.records import RegionError

_KINDS = ("good", "bad")
_DOI = re.compile(r"doi:(10\.[^\s,;)]+)")
_CALIBRATED_AS = {
    "tre_mm": "true_mm",
    "tre_median_mm": "true_median_mm",
    "tre_p95_mm": "true_p95_mm",
    "tre_max_mm": "true_max_mm",
}
"""Columns of the calibration that are named otherwise: its true errors need no landmarks."""


def glossary() -> str:
    """One section for each measure."""
    return "\n".join(line for reported in REPORTED for line in _section(reported))


def calibration_counts() -> dict[str, int]:
    """Number of good and of bad registrations that typical values are taken from."""
    return {kind: sum(row["kind"] == kind for row in _rows()) for kind in _KINDS}


def calibrated(name: str, kind: str) -> tuple[float, float, float] | None:
    """Tenth, fiftieth and ninetieth percentile of a field in the calibration, where it has it.

    Args:
        name: Of the field.
        kind: "good" or "bad" registrations.
    """
    column = _CALIBRATED_AS.get(name, name)
    values = [row[column] for row in _rows() if row["kind"] == kind and _is_number(row.get(column))]
    if not values:
        return None
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[4], tenths[8]


def _section(reported: Reported) -> list[str]:
    facts = {
        "In tables and JSON": _fields(reported),
        "Unit": reported.unit or ("none" if reported.formula else "words"),
        "Formula": reported.formula,
        "Source": _DOI.sub(r"[\g<0>](https://doi.org/\1)", reported.source),
        "Typical": _typical(reported),
        "Verdict": _verdict(reported.name),
        "A bad value means": reported.bad,
    }
    rows = [
        f"| {name} | {value.replace('|', '&#124;')} |" for name, value in facts.items() if value
    ]
    return [f"## {reported.label}", "", reported.says, "", "| | |", "|---|---|", *rows, ""]


def _fields(reported: Reported) -> str:
    """The fields that hold it, in Markdown."""
    if reported is REGIONS:
        parts = ", ".join(f"`{field.name}`" for field in fields(RegionError))
        return f"`{reported.name}`, a list with {parts}"
    if not isinstance(reported, Measure):
        return f"`{reported.name}`"
    moments = ((reported.aligned, "aligned"), (reported.initial, "initial"))
    before = [f"`{name}` {moment}" for name, moment in moments if name]
    return ", ".join([f"`{reported.name}`", *before])


def _typical(reported: Reported) -> str:
    """Those of the calibration, good and bad, where it has the measure; else as the table says."""
    spreads = {kind: calibrated(reported.name, kind) for kind in _KINDS}
    words = [
        f"{kind}: {_spread(values, reported.unit)}" for kind, values in spreads.items() if values
    ]
    _, _, note = reported.typical.partition("; ")
    return "; ".join(filter(None, [*words, note])) if words else reported.typical


def _spread(values: tuple[float, float, float], unit: str) -> str:
    """Median and the range of the middle four fifths."""
    low, middle, high = map(_short, values)
    return f"median {middle}, 80 % from {low} to {high} {unit}".strip()


def _short(value: float) -> str:
    """Three digits at the most; zero without a sign."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}") if abs(value) < 1000 else f"{value:.0f}"


def _verdict(name: str) -> str:
    """The default limits of the measure, with their keys in the configuration."""
    defaults = Quality()
    return ", ".join(
        f"`quality.{key}` {getattr(defaults, key):g}" for _, key in thresholds_of(name)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _rows() -> list[dict[str, Any]]:
    """Every registration of the calibration but those of a scan onto itself, which are perfect."""
    return [row for row in calibration_rows() if row["trouble"] != "wrong:same_scan"]
