"""The table of the page of cost, from measured seconds and megabytes of a case.

python -m tests.benchmarks.costs
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from tests.benchmarks.kept import RESULTS

MEASURED = RESULTS / "2026-11-29-costs.json"
PAIRS = (20, 1_000, 1_000_000)
CORES = 16
HEAD = (
    "| pairs | way | core hours | days on 16 cores | files in and out, TB | once | each month |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Examples in US dollars; no offer of anyone."""

    core_hour: float = 0.05
    tb_month: float = 23.0


def table(measured: dict[str, Any], prices: Prices | None = None) -> list[str]:
    """Lines of Markdown."""
    return [*HEAD, *_rows(measured, prices or Prices())]


def _rows(measured: dict[str, Any], prices: Prices) -> Iterator[str]:
    for pairs in PAIRS:
        for way, seconds in measured["core_s_of_a_pair"].items():
            megabytes = measured["read_mb"] + measured["written_mb"][way]
            hours, terabytes = pairs * seconds / 3600, pairs * megabytes / 1e6
            figures = (
                f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}",
                f"{hours / CORES / 24:,.2g}" if hours < 100_000 else f"{hours / CORES / 24:,.0f}",
                f"{terabytes:,.2g}" if terabytes < 10 else f"{terabytes:,.0f}",
                f"$ {hours * prices.core_hour:,.2f}",
                f"$ {terabytes * prices.tb_month:,.2f}",
            )
            yield f"| {pairs:,} | {way} | " + " | ".join(figures) + " |"


if __name__ == "__main__":
    Console(width=120).print("\n".join(table(json.loads(MEASURED.read_text()))))
