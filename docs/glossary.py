"""The glossary of measures in Markdown: `glossary.yaml`, thresholds, calibration results."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any

import yaml

from lungreg.config import Quality

_ENTRIES = Path(__file__).with_name("glossary.yaml")
_CALIBRATION = Path(__file__).parents[1] / "tests" / "varied" / "results"
_KINDS = ("good", "bad")
_DOI = re.compile(r"doi:(10\.[^\s,;)]+)")


def entries() -> list[dict[str, Any]]:
    """The measures as the YAML has them."""
    found: list[dict[str, Any]] = yaml.safe_load(_ENTRIES.read_text(encoding="utf-8"))
    return found


def glossary() -> str:
    """One section for each measure."""
    return "\n".join(line for entry in entries() for line in _section(entry))


def calibration_counts() -> dict[str, int]:
    """Number of good and of bad registrations that typical values are taken from."""
    return {kind: sum(row["kind"] == kind for row in _rows()) for kind in _KINDS}


def _section(entry: Mapping[str, Any]) -> list[str]:
    columns = ", ".join(f"`{name}`" for name in entry["names"])
    facts = {
        "In tables and JSON": columns,
        "Unit": entry["unit"] or "none",
        "Formula": entry["formula"],
        "Source": _DOI.sub(r"[\g<0>](https://doi.org/\1)", entry["source"]),
        "Typical": _typical(entry),
        "Verdict": _verdict(entry.get("thresholds", ())),
        "A bad value means": entry["bad"],
    }
    rows = [
        f"| {name} | {value.replace('|', '&#124;')} |" for name, value in facts.items() if value
    ]
    return [f"## {entry['title']}", "", entry["what"], "", "| | |", "|---|---|", *rows, ""]


def _typical(entry: Mapping[str, Any]) -> str:
    """Median and the range of the middle four fifths, of good and of bad registrations."""
    name = entry.get("typical_of")
    if name is None:
        return str(entry.get("typical", ""))
    unit = entry["unit"].rpartition("; ")[2].removeprefix("none")
    words = [f"{kind}: {_spread(name, kind, unit)}" for kind in _KINDS]
    of = f" ({entry['typical_word']})" if "typical_word" in entry else ""
    return "; ".join(words) + of


def _spread(name: str, kind: str, unit: str) -> str:
    values = [row[name] for row in _rows() if row["kind"] == kind and _is_number(row.get(name))]
    tenths = quantiles(values, n=10, method="inclusive")
    low, middle, high = (_short(tenths[place]) for place in (0, 4, 8))
    return f"median {middle}, 80 % from {low} to {high} {unit}".strip()


def _short(value: float) -> str:
    """Three digits at the most; zero without a sign."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}") if abs(value) < 1000 else f"{value:.0f}"


def _verdict(thresholds: list[str]) -> str:
    """The default limits of the measure, with their keys in the configuration."""
    defaults = Quality()
    return ", ".join(f"`quality.{name}` {getattr(defaults, name):g}" for name in thresholds)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


@cache
def _rows() -> list[dict[str, Any]]:
    """Every registration of the calibration."""
    files = sorted(_CALIBRATION.glob("calibration-*.json"))
    return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]
