"""What is kept beside the figures of a benchmark: on which machine, when, with which versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("lungreg", "torch", "monai", "numpy", "numba", "SimpleITK", "ray"),
    *("antspyx", "convexadam", "itk-elastix", "picsl-greedy"),
)
"""What the figures depend on: lungreg, what it computes with, and the tools beside it."""


def machine(threads: int | None = None) -> dict[str, Any]:
    """What the figures were measured on; above a load of one, times say little.

    Args:
        threads: That the benchmark computes with; None for what `OMP_NUM_THREADS` says.
    """
    return {
        "system": platform.platform(terse=True),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "threads": os.environ.get("OMP_NUM_THREADS", "all") if threads is None else str(threads),
        "load": round(os.getloadavg()[0], 1),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of Python and of those of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def keep(record: Mapping[str, Any], kind: str = "") -> Path:
    """Write a record as a file named after the time, beside earlier ones.

    Args:
        record: The figures, and what else is to be known of them; a date is added.
        kind: Ends the name, such as "-steps".
    """
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{now:%Y-%m-%d-%H%M}{kind}.json"
    dated = {"date": now.isoformat(timespec="seconds"), **record}
    file.write_text(json.dumps(dated, indent=1) + "\n")
    Console().print(f"kept in {file.relative_to(Path.cwd())}")
    return file
