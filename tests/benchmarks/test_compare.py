from __future__ import annotations

import platform
from typing import Any

import numpy as np

from tests.benchmarks.compare import show_summary, summary
from tests.benchmarks.kept import machine


def row(pair: str, tool: str, tre_mm: float, cpu_s: float) -> dict[str, Any]:
    """A row as a run that has not failed leaves it, but for what no summary reads."""
    return {
        "pair": pair,
        "tool": tool,
        "tre_mm": tre_mm,
        "tre_median_mm": tre_mm / 2,
        "cpu_s": cpu_s,
    }


def test_tools_are_ratios_to_ours_on_the_same_pairs() -> None:
    """Twice the error in half of the time; a pair that one tool failed on counts for none."""
    rows = [
        row("a", "lungreg", 1.0, 10.0),
        row("a", "other", 2.0, 5.0),
        row("b", "lungreg", 9.0, 90.0),
        {"pair": "b", "tool": "other", "failed": ["an error"]},
    ]
    ours, other = summary(rows)
    assert (ours["pairs"], ours["error_ratio"], ours["cpu_ratio"]) == (1, 1.0, 1.0)
    assert (other["error_ratio"], other["cpu_ratio"], other["failed"]) == (2.0, 0.5, 1)
    show_summary([ours, other])


def test_without_ours_there_is_no_ratio() -> None:
    """Nothing is compared with a tool that was not asked for."""
    (other,) = summary([row("a", "other", 2.0, 5.0)])
    assert other["error_ratio"] is other["cpu_ratio"] is None
    show_summary([other])


def test_a_record_tells_versions_of_what_is_installed() -> None:
    """Those of Python and NumPy; none of a package that is not there."""
    found = machine()["versions"]
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert all(found.values())
