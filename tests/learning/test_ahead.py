"""Results made ahead: those of `map`, in its order, and not too many at once."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from lungreg.learning.ahead import helpers_beside, made_ahead


@pytest.mark.parametrize("helpers", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_is_map(helpers: int, count: int) -> None:
    """The same results in the same order, whichever is made first."""

    def slow(number: int) -> int:
        time.sleep(0.01 * (number % 3 == 0))
        return number**2

    assert list(made_ahead(slow, range(count), helpers=helpers)) == [n**2 for n in range(count)]


@pytest.mark.parametrize("helpers", [0, 1, 3])
def test_makes_no_more_than_one_beyond_the_helpers(helpers: int) -> None:
    """What waits to be used is bounded, however slow the one who uses it."""
    made: list[int] = []
    results = made_ahead(made.append, range(20), helpers=helpers)
    for used in range(1, 6):
        next(results)
        time.sleep(0.02)
        assert len(made) <= used + helpers


@pytest.mark.parametrize("helpers", [0, 2])
def test_an_error_comes_where_its_result_would(helpers: int) -> None:
    """Results before it are kept; after it nothing is begun that has not been."""

    def odd(number: int) -> int:
        if number == 3:
            msg = "three"
            raise ValueError(msg)
        return number

    results = made_ahead(odd, range(100), helpers=helpers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_helpers_compute_in_one_thread_and_leave_others_theirs() -> None:
    """As many threads of PyTorch as helpers, and the caller's own number as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = list(made_ahead(lambda _: torch.get_num_threads(), range(4), helpers=2))
        assert found == [1] * 4
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_left_half_way_its_threads_end() -> None:
    """An iterator that is closed leaves no thread behind."""
    before = threading.active_count()
    results = made_ahead(lambda number: number, range(100), helpers=3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_cpu_has_no_helpers() -> None:
    """It computes the step; a GPU leaves it free."""
    assert helpers_beside(torch.device("cpu")) == 0
    assert 1 <= helpers_beside(torch.device("cuda")) <= 8
