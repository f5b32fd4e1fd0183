"""The table of costs, and the commands that it is measured by."""

from __future__ import annotations

import pytest

from tests.benchmarks.costs import measure, table


def test_the_table_is_pairs_times_seconds_and_megabytes() -> None:
    """3,600 s and 1,000 MB of a pair: an hour and a thousandth of a TB each, at $ 0.05 and $ 23."""
    measured = {
        "core_s_of_a_pair": {"network": 3600},
        "read_mb": 400,
        "written_mb": {"network": 600},
    }
    lines = table(measured)[2:]
    assert lines[0] == "| 20 | network | 20.0 | 0.052 | 0.02 | $ 1.00 | $ 0.46 |"
    assert lines[1] == "| 1,000 | network | 1,000 | 2.6 | 1 | $ 50.00 | $ 23.00 |"


@pytest.mark.slow
def test_both_ways_are_measured() -> None:
    """On a small case, by the commands that a user types."""
    found = measure([48, 32, 48], 1)
    assert set(found["core_s_of_a_pair"]) == set(found["written_mb"]) == {"network", "optimiser"}
    assert min(found["core_s_of_a_pair"].values()) > 0.5
    assert 0.05 < found["read_mb"] < 1.0
    assert min(found["written_mb"].values()) > 0.02
