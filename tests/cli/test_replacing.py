"""Whether what is there may be replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.cli.console import Console
from lungreg.cli.replacing import may_replace, require_free
from lungreg.errors import RunError
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


@pytest.mark.parametrize(("answer", "overwrite"), [(True, False), (False, True), (False, False)])
def test_a_file_is_replaced_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answer: bool, overwrite: bool
) -> None:
    """A link that leads to nothing is there, too; a free name is no question."""
    asked = answer_questions(monkeypatch, answer=answer)
    require_free(LOUD, tmp_path / "free.csv", option="--export", overwrite=overwrite)
    assert asked == []
    out = tmp_path / "taken.csv"
    out.symlink_to(tmp_path / "nothing")
    if answer or overwrite:
        require_free(LOUD, out, option="--export", overwrite=overwrite)
    else:
        with pytest.raises(RunError, match="add --overwrite, or name another file with --export"):
            require_free(LOUD, out, option="--export", overwrite=overwrite)
    assert asked == ([] if overwrite else [f"Replace {out}?"])
