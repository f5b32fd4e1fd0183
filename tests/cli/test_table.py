"""Tables fit the terminal, say what they leave out, and show all with --wide."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as RichConsole

from lungreg.cli.table import lay_out, terminal_width

COLUMNS = ("case_id", "verdict", "tre_mm", "nothing", "dice_score", "split", "why")
ROWS = [
    ["case_001", "pass (landmarks)", 1.2345, None, 0.95, "test", "a mean error of 2.2 mm, " * 3],
    ["case_002", "not registered", None, "", 0.5, "val", ""],
]


def shown(width: int, monkeypatch: pytest.MonkeyPatch, **settings: bool) -> tuple[str, str]:
    """The table as printed at a width, and its note."""
    monkeypatch.setenv("COLUMNS", str(width))
    laid = lay_out(COLUMNS, ROWS, **settings)
    text = io.StringIO()
    RichConsole(width=laid.width, file=text).print(laid.table)
    return text.getvalue(), laid.note


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_table_fits_and_folds_sentences_alone(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole names and numbers; empty columns are left out, the last ones where it is narrow."""
    text, note = shown(width, monkeypatch)
    assert max(map(len, text.splitlines())) <= width
    assert "nothing" not in text
    assert "case_001  pass (landmarks)   1.234" in text
    assert "case_002  not registered         -" in text
    assert text.count("mean") >= 3  # the sentence is there to its end
    assert ("split" in text) == ("split" not in note) == (width > 60)
    assert note == ("not shown: dice_score, split (--wide shows all)" if width == 60 else "")


def test_numbers_line_up_however_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that come with their own decimals; the first column holds names, were they 7."""
    monkeypatch.setenv("COLUMNS", "80")
    laid = lay_out(("case", "before", "after"), [["7", "", "0.71"], ["12", "2.30", "72.6"]])
    text = io.StringIO()
    RichConsole(width=laid.width, file=text).print(laid.table)
    assert text.getvalue().splitlines()[2:] == ["7              0.71", "12      2.30   72.6"]


def test_wide_shows_all_columns_in_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also empty ones, however narrow the terminal is."""
    text, note = shown(40, monkeypatch, wide=True)
    assert text.splitlines()[0].split() == list(COLUMNS)
    assert len(text.splitlines()) == 2 + len(ROWS)
    assert note == ""


def test_columns_that_were_asked_for_stay_though_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a query."""
    assert "nothing" in shown(160, monkeypatch, keep_empty=True)[0]


def test_many_columns_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The note is one line."""
    monkeypatch.setenv("COLUMNS", "60")
    laid = lay_out([f"column_{n}" for n in range(20)], [[1.0] * 20])
    assert laid.note == "not shown: 14 columns (--wide shows all)"


def test_no_rows_are_a_head_alone() -> None:
    """All columns are empty then, and all are shown that fit."""
    assert [column.header for column in lay_out(("a", "b"), []).table.columns] == ["a", "b"]


def test_files_and_pipes_are_as_wide_as_a_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """80, unless COLUMNS says otherwise."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", None)
    assert terminal_width() == 80
    monkeypatch.setenv("COLUMNS", "123")
    assert terminal_width() == 123
