"""A terminal with somebody at it, who gives one answer to every question."""

from __future__ import annotations

import pytest


def answer_questions(
    monkeypatch: pytest.MonkeyPatch, *, answer: bool, at_terminal: bool = True
) -> list[str]:
    """The questions that are asked from now on, each on stderr.

    Args:
        monkeypatch: Of the test.
        answer: To each.
        at_terminal: Whether somebody is there.
    """
    asked: list[str] = []

    def ask(question: str, *, err: bool) -> bool:
        assert err
        asked.append(question)
        return answer

    monkeypatch.setattr("lungreg.cli.replacing.at_terminal", lambda: at_terminal)
    monkeypatch.setattr("typer.confirm", ask)
    return asked
