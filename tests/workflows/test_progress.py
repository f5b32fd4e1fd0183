"""Progress of a workflow: the time that is left."""

from __future__ import annotations

import pytest

from lungreg.workflows.progress import time_left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s left"),
        (40.4, "40 s left"),
        (90, "2 min left"),
        (3599, "1 h 0 min left"),
        (7500, "2 h 5 min left"),
    ],
)
def test_the_time_that_is_left_is_rounded(seconds: float, words: str) -> None:
    """To seconds below a minute, else to minutes."""
    assert time_left(seconds) == words
