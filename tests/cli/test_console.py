"""The console: lines, tables and progress where no terminal is, one JSON document."""

from __future__ import annotations

import io
import json
import math
import re
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console as RichConsole
from rich.progress import Progress as RichProgress

from lungreg.cli.bars import shown_progress
from lungreg.cli.console import Console, printable
from lungreg.workflows.progress import Progress
from tests.site import Site


def test_progress_is_plain_lines_where_no_terminal_is(trained: Site) -> None:
    """One line for each case and epoch, with the run's id first: a killed run can be resumed."""
    lines = trained.run("infer").out.splitlines()
    assert lines[0].startswith("infer 0/6  run infer-")
    assert lines[1].startswith("infer 1/6  case_001: ")
    lines = trained.run("train").out.splitlines()
    assert lines[0].startswith("train 0/2 epochs  run train-")
    assert re.fullmatch(
        r"train 1/2 epochs  loss \S+  val_loss \S+  \d+ s left  val_\w+ .*", lines[1]
    )
    assert lines[2].startswith("train 2/2 epochs  loss ")
    assert "left" not in lines[2]
    model = "lung_ct_registration"
    assert lines[3].endswith(f": {model} version 2")
    assert re.match(r"best epoch: \d of 2 \(landmark error \S+ mm on the validation", lines[4])
    assert lines[5].startswith(f"champion of {model}: version 1; train.promote is manual; 'lungreg")
    assert lines[6].startswith(f"next: lungreg infer --model {model}:2 -c ")


@pytest.mark.parametrize("option", ["-q", "--json", "--wide"])
def test_the_id_of_a_run_is_written_where_a_job_asks_for_it(
    trained: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Whether or not progress is shown: a job that is killed is resumed by it."""
    monkeypatch.setenv("LUNGREG_RUN_FILE", str(tmp_path / "job.run"))
    for verb in ("infer", "train"):
        assert trained.run(verb, option).code == 0
        run_id = (tmp_path / "job.run").read_text().rstrip("\n")
        assert re.fullmatch(rf"{verb}-\d{{8}}-\d{{6}}-[0-9a-f]{{6}}", run_id)
        assert trained.backend().stage.list(f"runs/{run_id}")
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("job")] == ["job.run"]


def test_a_document_is_json_of_any_value(capsys: pytest.CaptureFixture[str]) -> None:
    """NaN and infinities are null, decimals numbers, all else text; without --json, nothing."""
    value = {"a": [math.nan, math.inf, 0.5], "b": (Decimal("2.50"), Decimal(3)), "c": {1}}
    Console(quiet=False, as_json=True).document(value)
    assert json.loads(capsys.readouterr().out) == {
        "a": [None, None, 0.5],
        "b": [2.5, 3],
        "c": "{1}",
    }
    Console(quiet=False, as_json=False).document(value)
    assert capsys.readouterr().out == ""


def test_items_are_folded_below_their_title(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As wide as the terminal, or 80 columns in a pipe; control characters are escapes."""
    monkeypatch.setenv("COLUMNS", "40")
    reasons = ["the lungs are lengthened 1.60 times as much", "b\x1b[2J"]
    Console(quiet=False, as_json=False).items("verdict: warn", reasons)
    assert capsys.readouterr().out.splitlines() == [
        "verdict: warn",
        "  - the lungs are lengthened 1.60 times",
        "    as much",
        r"  - b\x1b[2J",
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"quiet": True}, "lungreg: verdict: fail\n"),
        ({}, ""),
        ({"as_json": True}, ""),
        ({"quiet": True, "as_json": True}, ""),
    ],
)
def test_quiet_alone_hides_no_doubt(
    capsys: pytest.CaptureFixture[str], options: dict[str, bool], told: str
) -> None:
    """On stderr; without -q a line says it, and with --json the document."""
    Console(**{"quiet": False, "as_json": False, **options}).though_quiet("verdict: fail")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", told)


def test_a_table_shows_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """As "-"; numbers have three decimals; markup and control characters in a name are text."""
    rows = [["[red]a\x1b[2J", 1.23456], ["b", None]]
    Console(quiet=False, as_json=False).table("Title", ("name", "value"), rows)
    shown = capsys.readouterr().out
    assert "[red]a" in shown
    assert "1.235" in shown
    assert shown.splitlines()[-2].split() == ["b", "-"]
    assert r"\x1b" in shown


def test_an_anonymous_table_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """It may name cases."""
    Console(quiet=False, as_json=False, anonymous=True).table("Cases", ("case",), [["case_001"]])
    assert capsys.readouterr().out == ""


def test_bars_are_drawn_by_the_first_event_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command without progress leaves a terminal's cursor as it is; epochs have their number."""
    for events in (0, 1):
        terminal = Terminal()
        monkeypatch.setattr("sys.stdout", terminal)
        monkeypatch.setenv("TERM", "xterm")
        console = Console(quiet=False, as_json=False)
        with shown_progress(console):
            for _ in range(events):
                console.progress(
                    Progress(step="train", done=1, total=2, note="loss 0.5", unit="epochs")
                )
            console.table("Title", ("name",), [["value"]])
        assert ("\x1b[?25l" in terminal.getvalue()) == bool(events)
        assert ("train 1/2 epochs  loss 0.5" in terminal.getvalue()) == bool(events)


class Terminal(io.StringIO):
    """What a terminal shows."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("options", [{"quiet": True}, {"as_json": True}])
def test_a_question_that_nobody_sees_is_answered_no(options: dict[str, bool]) -> None:
    """A program does not hang on it."""
    assert not Console(**{"quiet": False, "as_json": False, **options}).ask("Drop all?")


def test_a_question_goes_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen where stdout is a file; a name in the question controls no terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert Console(quiet=False, as_json=False).ask("Replace a\x1b[2J\u2028b?")
    said = capsys.readouterr()
    assert said.out.strip() == ""  # click writes the space behind it there
    assert said.err.startswith(r"Replace a\x1b[2J\u2028b? [y/N]:")


def test_control_characters_are_shown_as_escapes() -> None:
    """A file's name cannot control the terminal; line breaks of our own may stay."""
    assert printable("a\x1b[2Jb\nc") == r"a\x1b[2Jb\nc"
    assert printable("a\nb", keep="\n") == "a\nb"
    assert printable("Müller") == "Müller"


def megabytes(done: int, total: int | None) -> Progress:
    return Progress(step="download", done=done, total=total, unit="MB")


@pytest.mark.parametrize("total", [40, None])
def test_on_a_terminal_a_count_moves_one_bar(total: int | None) -> None:
    """Nothing is printed above it, and its end may be unknown."""
    screen = io.StringIO()
    with RichProgress(console=RichConsole(file=screen), auto_refresh=False) as bar:
        console = Console(quiet=False, as_json=False, bar=bar)
        for done in range(1, 40):
            console.progress(megabytes(done, total))
        assert screen.getvalue() == ""
        (task,) = bar.tasks
    assert (task.description, task.completed, task.total) == ("download (MB)", 39, total)


def test_elsewhere_it_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With the whole, where it is known, and the unit."""
    console = Console(quiet=False, as_json=False)
    console.progress(megabytes(3, 40))
    console.progress(megabytes(1, None))
    console.progress(Progress(step="ingest", done=1, total=2, note="case_001: pass"))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["download 3/40 MB", "download 1 MB", "ingest 1/2  case_001: pass"]
