"""Whether what is there may be replaced."""

from __future__ import annotations

import pytest

from lungreg.cli.console import Console
from lungreg.cli.replacing import may_replace
from tests.cli.answering import answer_questions

LOUD = Console(quiet=False, as_json=False)


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("at_terminal", [True, False])
@pytest.mark.parametrize("overwrite", [True, False])
def test_the_option_counts_then_the_answer(
    monkeypatch: pytest.MonkeyPatch, *, overwrite: bool, at_terminal: bool, answer: bool
) -> None:
    """Nobody is asked where the option was given, or where nobody is."""
    asked = answer_questions(monkeypatch, answer=answer, at_terminal=at_terminal)
    agreed = may_replace(LOUD, "a\x1b[2J.csv", overwrite=overwrite)
    assert agreed == (overwrite or (at_terminal and answer))
    assert asked == ([] if overwrite or not at_terminal else [r"Replace a\x1b[2J.csv?"])
