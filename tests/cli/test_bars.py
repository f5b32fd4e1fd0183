"""Progress bars: what they show, where they end, and a signal while they are drawn."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console as RichConsole
from rich.progress import Progress as RichProgress

import lungreg
from lungreg.cli.bars import progress_bar, tell_at_once
from lungreg.cli.console import Console
from lungreg.workflows.progress import Progress, one_step


class Screen:
    """Bars on a terminal of 80 columns, and all that was written to it."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        rich = RichConsole(file=self.file, force_terminal=True, width=80)
        self.bar = RichProgress("{task.description}|{task.fields[amount]}", console=rich)
        self.console = Console(quiet=False, as_json=False, bar=self.bar)

    @property
    def text(self) -> str:
        """What was written, without control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.file.getvalue())


def level(done: int, loss: float) -> Progress:
    return Progress(step="level 1 of 3, 8 mm", done=done, total=30, loss=loss)


def test_a_bar_tells_its_loss() -> None:
    """Beside the count; nothing is printed above the bar."""
    screen = Screen()
    with screen.bar:
        screen.console.progress(level(1, 0.75))
        screen.console.progress(level(7, 0.5))
        (task,) = screen.bar.tasks
        assert (task.fields["amount"], task.completed, task.total) == ("7/30 loss 0.5000", 7, 30)


def test_a_step_of_one_piece_has_no_share() -> None:
    """Its bar runs to and fro until it is done, and no "0/1" stands beside it."""
    screen = Screen()
    with screen.bar:
        with one_step(screen.console.progress, "alignment"):
            (task,) = screen.bar.tasks
            assert (task.total, task.fields["amount"]) == (None, "")
        assert screen.bar.tasks == []


def test_bars_that_are_done_are_drawn_once_and_stay() -> None:
    """What is said comes below them, and to draw the others costs no more with each."""
    screen = Screen()
    with screen.bar:
        with one_step(screen.console.progress, "first"):
            pass
        screen.console.line("said")
        with one_step(screen.console.progress, "second"):
            screen.console.line("meanwhile")
    ends = [screen.text.rindex(word) for word in ("first", "said", "meanwhile", "second")]
    assert ends == sorted(ends)
    assert screen.text.count("first") <= 3


def test_a_signal_does_not_wait_for_bars_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler may have interrupted the drawing, whose locks are then held below it."""
    monkeypatch.setattr(os, "isatty", lambda _: True)
    screen = Screen()
    with screen.bar:
        with screen.bar._lock, screen.bar.live._lock:
            tell_at_once(screen.console, "stopping")
        until = time.monotonic() + 10
        while "stopping" not in screen.text and time.monotonic() < until:
            time.sleep(0.01)
    assert "stopping\n" in screen.text


CHILD = """
import sys, time
import typer
from lungreg.cli.command import command
from lungreg.workflows.progress import Progress
@command
def wait(console):
    for done in range(1, 4):
        console.progress(Progress(step="first", done=done, total=3))
    console.progress(Progress(step="second", done=0, total=1))
    try:
        time.sleep(60)
    finally:
        time.sleep(float(sys.argv[1]))
try:
    wait(quiet=False, as_json=False)
except typer.Exit:
    sys.exit(1)
"""


def read_terminal(ours: int) -> str | None:
    """What is shown next; None once the other end is closed."""
    try:
        return os.read(ours, 4096).decode()
    except OSError:
        return None


def stopped_on_a_terminal(ending_s: float, **environment: str) -> tuple[str, float]:
    """All that a command on a terminal shows that is stopped, and after how long its word came."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(ending_s)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment},
    )
    os.close(theirs)
    text, told_s, sent = "", 0.0, 0.0
    while (shown := read_terminal(ours)) is not None:
        text += shown
        if not sent and "second" in text:
            time.sleep(0.5)
            child.send_signal(signal.SIGINT)
            sent = time.monotonic()
        if sent and not told_s and "stopping" in text:
            told_s = time.monotonic() - sent
    os.close(ours)
    assert child.wait(timeout=30) == 1
    return text, told_s


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudoterminal")
@pytest.mark.parametrize("ending_s", [0.0, 2.0])
def test_ctrl_c_with_a_live_bar(ending_s: float) -> None:
    """Told at once, above the bars, which do not draw over it; then the cursor is back.

    However long it takes to end what is under way: nothing is drawn after the last word.
    """
    text, told_s = stopped_on_a_terminal(ending_s)
    if ending_s:
        assert 0 < told_s < 0.9 * ending_s
    after = text[text.index("lungreg: stopping") :]
    assert re.match(r"lungreg: stopping; what is under way is put in order\s", after)
    assert "second" in after
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert text.rstrip().endswith("lungreg: stopped")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudoterminal")
def test_a_dumb_terminal_gets_lines() -> None:
    """Bars that it could not move would be shown at the very end."""
    text, _ = stopped_on_a_terminal(0.0, TERM="dumb")
    assert text.splitlines()[:3] == ["first 1/3", "first 3/3", "second"]


def test_lines_where_neither_terminal_nor_notebook_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The same in Python, by the callback of `lungreg.progress_bar`."""
    assert lungreg.progress_bar is progress_bar
    with progress_bar() as show_it:
        with one_step(show_it, "reading"):
            pass
        show_it(level(1, 0.75))
        show_it(level(2, 0.7))
        show_it(level(30, 0.5))
    assert capsys.readouterr().out.splitlines() == [
        "reading",
        "level 1 of 3, 8 mm 1/30 loss 0.7500",
        "level 1 of 3, 8 mm 30/30 loss 0.5000",
    ]
