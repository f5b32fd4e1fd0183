"""The tables of the page of cost on what grows with the pairs, from measured counts.

python -m tests.benchmarks.limits
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks.kept import RESULTS

COUNTED = RESULTS / "2026-11-29-1112-many.json"
LARGE = RESULTS / "2026-12-01-0119-large.json"
PAIRS = (10_000, 100_000, 1_000_000)
DOLLARS_PER_WRITE, DOLLARS_PER_READ = 5e-6, 4e-7
"""Examples; no offer of anyone. A listing of 1,000 names costs as much as a write."""
_NAMES_PER_LISTING = 1000
_CALLS_HEAD = (
    "| pairs | files written | files read | names that a report lists | requests, $ |",
    "|---|---|---|---|---|",
)
_STEPS_HEAD = (
    "| 100,000 cases | seconds | CPU seconds | process, GB | a million so: minutes |",
    "|---|---|---|---|---|",
)


def calls_table(counted: dict[str, Any]) -> list[str]:
    """Lines of Markdown: what a bucket is asked for by ingest, infer and report."""
    return [*_CALLS_HEAD, *_calls(counted)]


def steps_table(large: dict[str, Any]) -> list[str]:
    """Lines of Markdown: what was tried, and ten times as much of it."""
    return [*_STEPS_HEAD, *_steps(large)]


def _calls(counted: dict[str, Any]) -> Iterator[str]:
    steps = [counted[name]["stage"] for name in ("ingest", "infer")]
    writes, reads = (sum(step[kind] for step in steps) for kind in ("write", "read"))
    names = counted["report"]["stage"]["files_listed"]
    for pairs in PAIRS:
        times = pairs / counted["cases"]
        listings = times * names / _NAMES_PER_LISTING
        dollars = DOLLARS_PER_WRITE * (times * writes + listings) + DOLLARS_PER_READ * times * reads
        figures = (times * writes, times * reads, times * names)
        yield f"| {pairs:,} | " + " | ".join(f"{x:,.0f}" for x in figures) + f" | {dollars:,.2f} |"


def gigabytes_of_a_million(large: dict[str, Any]) -> str:
    """The memory of the process that has all rows, if it grows with them from what it was idle."""
    idle = large["process before, MB"]
    most = max(step["process, MB"] for _, step in _measured(large))
    return f"{(idle + PAIRS[-1] / large['cases'] * (most - idle)) / 1000:.0f} GB"


def _steps(large: dict[str, Any]) -> Iterator[str]:
    times = PAIRS[-1] / large["cases"]
    for name, step in _measured(large):
        yield (
            f"| {name} | {step['seconds']:.1f} | {step['CPU seconds']:.1f} "
            f"| {step['process, MB'] / 1000:.2f} | {times * step['seconds'] / 60:.1f} |"
        )


def _measured(large: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    steps = [(name, step) for name, step in large.items() if isinstance(step, dict)]
    return [(name, step) for name, step in steps if "process, MB" in step]


def load(file: Path) -> dict[str, Any]:
    """A record of measurements."""
    record: dict[str, Any] = json.loads(file.read_text())
    return record


if __name__ == "__main__":
    lines = [*calls_table(load(COUNTED)), "", *steps_table(load(LARGE))]
    Console(width=160).print("\n".join(lines))
