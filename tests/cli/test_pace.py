"""How many lines a long count gets."""

from __future__ import annotations

from lungreg.cli.pace import Pace


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_for_each_twentieth() -> None:
    """However many steps there are: the first, some twenty, and the last."""
    clock, due = Clock(), []
    pace = Pace(clock=clock)
    for done in range(1, 2001):
        clock.now += 0.02
        due += [done] if pace.is_due("download", done, 2000) else []
    assert due[0] == 1
    assert due[-1] == 2000
    assert len(due) in (20, 21)


def test_fast_counts_get_a_line_a_second() -> None:
    """And their last step: an optimisation of a few seconds does not fill the screen."""
    clock, due = Clock(), []
    pace = Pace(clock=clock)
    for done in range(1, 31):
        clock.now += 0.125
        due += [done] if pace.is_due("level", done, 30) else []
    assert due == [1, 9, 17, 25, 30]


def test_a_line_every_ten_seconds() -> None:
    """Where the count is slow, or its end is not known."""
    clock = Clock()
    pace = Pace(clock=clock)
    due = []
    for done in range(1, 101):
        clock.now += 1.0
        due += [done] if pace.is_due("download", done, None) else []
    assert due == list(range(1, 101, 10))


def test_a_count_that_starts_again_gets_a_line() -> None:
    """It fell back, and a person should see it."""
    pace = Pace(clock=Clock())
    assert pace.is_due("download", 50, 1000)
    assert not pace.is_due("download", 51, 1000)
    assert pace.is_due("download", 1, 1000)


def test_counts_of_other_names_are_apart() -> None:
    """The first step of each has its line."""
    pace = Pace(clock=Clock())
    assert pace.is_due("download", 1, 1000)
    assert pace.is_due("ingest", 1, 1000)
