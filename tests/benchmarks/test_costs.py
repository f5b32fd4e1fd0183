"""The table of costs, and the commands that it is measured by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.benchmarks.costs import main, measure, newest_run, table


def test_the_table_is_pairs_times_seconds_and_megabytes() -> None:
    """3,600 s and 1,000 MB of a pair: an hour and a thousandth of a TB each, at $ 0.05 and $ 23.

    On a card that starts in an hour a pair takes 360 s: 20 are 3 hours, at $ 4 and 16 cores.
    """
    measured = {
        "core_s_of_a_pair": {"network": 3600},
        "read_mb": 400,
        "written_mb": {"network": 600},
    }
    on_gpu = {
        "steps": {"infer, cold": {"s": 7200}, "infer, warm": {"s": 3600}},
        "asked": {"cases": 10},
        "machine": {"cores": 16},
    }
    lines = table(measured, on_gpu)[2:]
    assert lines[:4] == [
        "| 20 | network | 20.0 | 0 | 0.052 | 0.02 | $ 1.00 | $ 0.46 |",
        "| 20 | network on a GPU | 48.0 | 3 | 0.12 | 0.02 | $ 14.40 | $ 0.46 |",
        "| 1,000 | network | 1,000 | 0 | 2.6 | 1 | $ 50.00 | $ 23.00 |",
        "| 1,000 | network on a GPU | 1,616 | 101 | 4.2 | 1 | $ 484.80 | $ 23.00 |",
    ]


@pytest.mark.parametrize("times", ["0", "-1", "two"])
def test_each_way_is_counted_at_least_once(times: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before minutes of measuring: there is no mean of nothing."""
    with pytest.raises(SystemExit):
        main(["--times", times])
    assert "argument --times: " in capsys.readouterr().err


def test_the_newest_run_is_the_one_of_the_latest_id(tmp_path: Path) -> None:
    """Whichever folder was written to last."""
    ids = ("infer-20261130-101502-0a", "infer-20261130-101501-ff", "train-20261201-000000-00")
    for name in ids:
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ids[0], (1, 1))
    assert newest_run(tmp_path).name == ids[0]


@pytest.mark.slow
def test_both_ways_are_measured() -> None:
    """On a small case, by the commands that a user types."""
    found = measure([48, 32, 48], 1)
    assert set(found["core_s_of_a_pair"]) == set(found["written_mb"]) == {"network", "optimiser"}
    assert min(found["core_s_of_a_pair"].values()) > 0.5
    assert 0.05 < found["read_mb"] < 1.0
    assert min(found["written_mb"].values()) > 0.02
