"""`lungreg register` beside the classical tools on the same pairs: `nox -s bench`.

Prints one table and keeps the numbers in `tests/benchmarks/results/`, with date and machine. Every
tool's displacement is measured by the same code, in the given masks and at the true landmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from lungreg.config import Config
from lungreg.workflows.evaluate import evaluate
from tests.benchmarks.pairs import BenchPair, make_pairs, make_varied_pairs
from tests.benchmarks.tools import TOOLS
from tests.varied import TROUBLES

RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    *("tre_mm", "tre_median_mm", "tre_p95_mm", "dice_score", "fold_pct"),
    *("compute_s", "cpu_s", "wall_s", "peak_gb"),
)
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
        summarise(rows)
        if not asked.dry:
            keep(rows, asked.seed)


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


def summarise(rows: list[dict[str, Any]]) -> None:
    """One line per tool, over the pairs that no tool failed on, and how many it failed on."""
    failed = {row["pair"] for row in rows if row.get("failed")}
    tools = dict.fromkeys(row["tool"] for row in rows)
    table = Table("tool", "pairs", "mean of means", "mean of medians", "worst mean", "failed")
    for tool in tools:
        own = [row for row in rows if row["tool"] == tool]
        done = [row for row in own if row["pair"] not in failed]
        means = [row["tre_mm"] for row in done]
        medians = [row["tre_median_mm"] for row in done]
        figures = (fmean(means), fmean(medians), max(means)) if done else ()
        lost = sum("failed" in row for row in own)
        shown = [f"{figure:.2f}" for figure in figures] or [""] * 3
        table.add_row(tool, str(len(done)), *shown, str(lost))
    Console(width=140).print(table)


def keep(rows: list[dict[str, Any]], seed: int) -> None:
    """The numbers of this run, beside those of earlier ones."""
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    record = {
        "date": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "seed": seed,
        "rows": rows,
    }
    file = RESULTS / f"{now:%Y-%m-%d-%H%M}.json"
    file.write_text(json.dumps(record, indent=1) + "\n")
    Console().print(f"kept in {file.relative_to(Path.cwd())}")


def machine() -> dict[str, Any]:
    """What the figures were measured on; above a load of one, times say little."""
    return {
        "system": platform.platform(terse=True),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
