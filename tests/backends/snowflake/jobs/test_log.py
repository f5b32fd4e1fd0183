"""The new lines of a log that grows at its end and may lose its front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lungreg.backends.snowflake.jobs.log import LogTail


@given(data=st.data(), count=st.integers(0, 30))
def test_every_line_comes_once(data: st.DataObject, count: int) -> None:
    """However often one looks, and whatever front has gone, all lines come, in order."""
    lines = [f"line {number}" for number in range(count)]
    looks = data.draw(st.lists(st.integers(0, count), max_size=5).map(sorted))
    tail, lines_seen, shown = LogTail(), [], 0
    for end in looks:
        first = data.draw(st.integers(0, max(0, min(shown, end - 1))))
        lines_seen += tail.new_lines(lines[first:end], ended=False)
        shown = len(lines_seen)
    lines_seen += tail.new_lines(lines[data.draw(st.integers(0, max(0, shown - 1))) :], ended=True)
    assert lines_seen == lines


def test_a_first_line_that_is_cut_is_known_again() -> None:
    """A log that is kept by its size begins somewhere in a line."""
    tail = LogTail()
    assert tail.new_lines(["one", "two", "three", ""], ended=False) == ["one", "two", "three"]
    assert tail.new_lines(["wo", "three", "four"], ended=True) == ["four"]


def test_lines_that_were_lost_between_two_looks_stop_nothing() -> None:
    """Without any overlap all that is there is new."""
    tail = LogTail()
    assert tail.new_lines(["a", "b", ""], ended=False) == ["a", "b"]
    assert tail.new_lines(["x", "y"], ended=True) == ["x", "y"]
