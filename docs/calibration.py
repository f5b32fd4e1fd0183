"""The tables of the calibration in Markdown, counted from the newest rows of `nox -s calibrate`."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from statistics import correlation, fmean, median
from typing import Any

RESULTS = Path(__file__).parents[1] / "tests" / "varied" / "results"
Row = dict[str, Any]
TUNED_SEEDS = frozenset({1, 2, 4, 5, 7})
"""Those that tuning and setting of thresholds use; all others are held back."""
_KINDS, VERDICTS = ("good", "between", "bad"), ("pass", "warn", "fail")
CLASSES_MM = (2.0, 4.0)
"""Of true and estimated mean errors: where one class ends."""
_CLASS_NAMES = ("below 2 mm", "2 to 4 mm", "above 4 mm")
_BASES = {
    "analytic": "analytic thorax",
    "cip_ct64": "real CT, 4 mm voxels",
    "lung_fcp": "real CT, upper lungs",
}
_WRONG = "wrong:"
_UNKNOWN = -1
_FEWEST = 3
"""Of pairs, that a correlation is given for."""


@cache
def calibration_rows() -> list[Row]:
    """All cases of the newest calibration."""
    return rows_in(max(path for path in RESULTS.iterdir() if path.is_dir()))


def rows_in(folder: Path) -> list[Row]:
    """The cases kept in a folder, seed by seed; none where it is not there."""
    kept = (json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json")))
    return [row for record in kept for row in record["rows"]]


def is_held_back(row: Row) -> bool:
    """Whether no threshold was set by a case."""
    return row["seed"] not in TUNED_SEEDS


def calibration() -> str:
    """The tables of the newest calibration."""
    return tables(calibration_rows())


def tables(rows: Sequence[Row]) -> str:
    """The tables of some cases, each under its heading; none of what is not among them."""
    held_back = [row for row in rows if is_held_back(row)]
    others = [row for row in rows if not is_held_back(row)]
    put_on = [row for row in rows if row["error"] is not None]
    parts = {
        "Held back: what was judged": _verdicts(held_back, "what", _what),
        "Held back: by base": _verdicts(held_back, "base", _base),
        "Held back: by trouble": _verdicts(held_back, "trouble", _group),
        "Held back: judged with landmarks": _verdicts(held_back, "base", _base, "landmarks"),
        "Seeds that set thresholds": _verdicts(others, "what", _what),
        "Held back: estimated error by class": _classes(held_back),
        "Held back: estimated and true error": _errors(held_back, "trouble", _group),
        "All seeds: errors put on the truth": _errors(put_on, "error", _error),
    }
    return "\n".join(_section(title, table) for title, table in parts.items() if table)


def _section(title: str, table: str) -> str:
    return f"## {title}\n\n{table}\n"


def _what(row: Row) -> str:
    if row["error"] is not None:
        return "true transforms with a known error"
    if row["trouble"] == f"{_WRONG}same_scan":
        return "scans with themselves"
    return "wrong inputs" if row["trouble"].startswith(_WRONG) else "registrations"


def _base(row: Row) -> str:
    return _BASES[row["base"]]


def _group(row: Row) -> str:
    return str(row["group"])


def _error(row: Row) -> str:
    return f"{row['error']}, {_base(row)}"


def _verdicts(
    rows: Sequence[Row], by: str, name: Callable[[Row], str], evidence: str = "estimated"
) -> str:
    """For each part, how many of each kind pass, are a warning, fail."""
    judged = [row for row in rows if evidence in row]
    lines = []
    for part, members in _parts(judged, name):
        counts = Counter((row["kind"], row[evidence]["verdict"]) for row in members)
        cells = [[counts[kind, verdict] for verdict in VERDICTS] for kind in _KINDS]
        shown = [" / ".join(map(str, cell)) if any(cell) else "" for cell in cells]
        lines.append([part, str(len(members)), *shown])
    return _table([by, "cases", *(f"{kind}: {' / '.join(VERDICTS)}" for kind in _KINDS)], lines)


def _classes(rows: Sequence[Row]) -> str:
    """How many cases of each true class have each estimated one."""
    counts = Counter(
        (_class(row["true_mm"]), _class(row["etre_mm"]) if "etre_mm" in row else _UNKNOWN)
        for row in _with_true_errors(rows)
    )
    lines = [
        [f"true {name}", *(str(counts[place, other]) for other in (0, 1, 2, _UNKNOWN))]
        for place, name in enumerate(_CLASS_NAMES)
        if counts
    ]
    return _table(["", *(f"estimated {name}" for name in _CLASS_NAMES), "not known"], lines)


def _errors(rows: Sequence[Row], by: str, name: Callable[[Row], str]) -> str:
    """For each part, the true and the estimated error, and how far they go together."""
    lines = []
    for part, members in _parts(with_both_errors(rows), name):
        true, found = ([row[column] for row in members] for column in ("true_mm", "etre_mm"))
        right = sum(_class(one) == _class(other) for one, other in zip(true, found, strict=True))
        passed = sum(row["estimated"]["verdict"] == "pass" for row in members)
        partners = median(row["etre_found_pct"] for row in members)
        figures = [_correlation(true, found), f"{fmean(true):.2f}", f"{fmean(found):.2f}"]
        lines.append(
            [part, str(len(members)), *figures, f"{partners:.0f}", f"{right}", f"{passed}"]
        )
    columns = ["correlation", "true mm", "estimated mm", "partners %", "right class", "pass"]
    return _table([by, "cases", *columns], lines)


def with_both_errors(rows: Iterable[Row]) -> list[Row]:
    """Right inputs whose true error is known, and estimated."""
    return [row for row in _with_true_errors(rows) if "etre_mm" in row]


def _with_true_errors(rows: Iterable[Row]) -> list[Row]:
    """Right inputs whose true error is known; where few places find a partner no estimate is."""
    return [
        row for row in rows if row["true_mm"] is not None and not row["trouble"].startswith(_WRONG)
    ]


def _parts(rows: Sequence[Row], name: Callable[[Row], str]) -> list[tuple[str, list[Row]]]:
    """Rows by name, in the order that these come in, and all of them."""
    names = list(dict.fromkeys(name(row) for row in sorted(rows, key=name)))
    parts = [(one, [row for row in rows if name(row) == one]) for one in names]
    return [*parts, ("all", list(rows))] if parts else []


def _class(error_mm: float) -> int:
    return bisect_right(CLASSES_MM, error_mm)


def _correlation(one: Sequence[float], other: Sequence[float]) -> str:
    varied = len(one) >= _FEWEST and len(set(one)) > 1 and len(set(other)) > 1
    return f"{correlation(one, other):.2f}" if varied else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Nothing without rows."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""
