"""`lungreg register` beside the classical tools on the same pairs: `nox -s bench`.

Prints a table of all, and one of the tools with ratios to lungreg's error and time; keeps the
numbers in `tests/benchmarks/results/`, with date, machine and versions. Every tool's displacement
is measured by the same code, in the given masks and at the true landmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from lungreg.config import Config
from lungreg.workflows.evaluate import evaluate
from tests.benchmarks.kept import keep, machine
from tests.benchmarks.pairs import BenchPair, make_pairs, make_varied_pairs
from tests.benchmarks.tools import TOOLS
from tests.varied import TROUBLES

COLUMNS = (
    *("tre_mm", "tre_median_mm", "tre_p95_mm", "dice_score", "fold_pct"),
    *("compute_s", "cpu_s", "wall_s", "peak_gb"),
)
OURS = "lungreg"
"""The tool that the others are compared with: `register` at its defaults, with masks."""
_ROLES = ("fixed", "moving", "fixed_mask", "moving_mask", "landmarks")


def main() -> None:
    """Run what is asked for, print it, keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", nargs="*", default=list(TOOLS), choices=list(TOOLS))
    parser.add_argument("--pairs", default="", help="only pairs whose name holds this")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated patients")
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    parser.add_argument("--troubles", nargs="*", default=["none"], choices=list(TROUBLES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[3, 6], help="of varied pairs")
    asked = parser.parse_args()
    console, rows = Console(width=200), list[dict[str, Any]]()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for pair in _pairs(Path(folder) / "pairs", asked):
                for tool in asked.tools:
                    rows.append(measure(tool, pair, Path(folder) / "out" / pair.name / tool))
                    console.print_json(data=rows[-1], indent=None)
    finally:  # what a run of hours has measured is kept, however it ends
        show(rows)
        found = summary(rows)
        show_summary(found)
        if not asked.dry:
            record = {"machine": machine(), "seed": asked.seed, "summary": found, "rows": rows}
            keep(record)


def _pairs(folder: Path, asked: argparse.Namespace) -> Iterator[BenchPair]:
    """The pairs that are asked for; simulated ones are skipped where a varied one is named."""
    if not asked.pairs.startswith("varied"):
        simulated = make_pairs(folder, asked.seed)
        yield from (pair for pair in simulated if asked.pairs in pair.name)
    yield from make_varied_pairs(folder, asked.pairs, troubles=asked.troubles, seeds=asked.seeds)


def measure(tool: str, pair: BenchPair, out: Path) -> dict[str, Any]:
    """One tool on one pair."""
    command = [sys.executable, "-m", "tests.benchmarks.tools", tool, str(pair.folder), str(out)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        said = process.stderr.read().decode() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    row: dict[str, Any] = {"pair": pair.name, "tool": tool}
    if process.returncode:
        return {**row, "failed": said.strip().splitlines()[-1:]}
    row["cpu_s"] = round(usage.ru_utime + usage.ru_stime, 1)
    row["wall_s"] = round(time.perf_counter() - started, 1)
    row["peak_gb"] = round(usage.ru_maxrss / 1e6, 2)
    row["compute_s"] = round(json.loads((out / "seconds.json").read_text()), 1)
    files = {role: pair.file(role) for role in _ROLES}
    (case,) = evaluate(Config(), str(out / "field.nii.gz"), files=files).cases
    measured = (name for name in COLUMNS if name not in row)
    return {**row, **{name: round(getattr(case, name), 4) for name in measured}}


def show(rows: list[dict[str, Any]]) -> None:
    """One table."""
    table = Table("pair", "tool", *COLUMNS)
    for row in rows:
        values = row.get("failed") or [row[name] for name in COLUMNS]
        table.add_row(row["pair"], row["tool"], *map(str, values))
    Console(width=140).print(table)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each tool, means over the pairs that no tool failed on, and these as ratios to lungreg's.

    A ratio of 2 means twice the error, or twice the CPU seconds, of `lungreg` at its defaults. It
    is None where that was not asked for, or no pair is left.
    """
    failed = {row["pair"] for row in rows if row.get("failed")}
    done = [row for row in rows if row["pair"] not in failed]
    ours = [row for row in done if row["tool"] == OURS]
    lines = []
    for tool in dict.fromkeys(row["tool"] for row in rows):
        own = [row for row in done if row["tool"] == tool]
        line: dict[str, Any] = {"tool": tool, "pairs": len(own)}
        line["tre_mm"] = _mean(own, "tre_mm")
        line["tre_median_mm"] = _mean(own, "tre_median_mm")
        line["tre_worst_mm"] = max((row["tre_mm"] for row in own), default=None)
        line["cpu_s"] = _mean(own, "cpu_s")
        line["error_ratio"] = _ratio(line["tre_mm"], _mean(ours, "tre_mm"))
        line["cpu_ratio"] = _ratio(line["cpu_s"], _mean(ours, "cpu_s"))
        line["failed"] = sum("failed" in row for row in rows if row["tool"] == tool)
        lines.append(line)
    return lines


def _mean(rows: list[dict[str, Any]], column: str) -> float | None:
    return fmean(row[column] for row in rows) if rows else None


def _ratio(value: float | None, ours: float | None) -> float | None:
    return round(value / ours, 3) if value is not None and ours else None


def show_summary(lines: list[dict[str, Any]]) -> None:
    """One line per tool."""
    head = ("mean of means", "mean of medians", "worst mean", "CPU s")
    ratios = ("error / lungreg's", "CPU s / lungreg's")
    table = Table("tool", "pairs", *head, *ratios, "failed")
    for line in lines:
        cells = ["" if value is None else value for value in line.values()]
        shown = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
        table.add_row(*shown)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
