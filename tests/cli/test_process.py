"""Streams that cannot show every letter, and signals that end a command."""

from __future__ import annotations

import functools
import gc
import io
import os
import signal
import sys

import pytest

from lungreg.cli import process
from lungreg.cli.bars import tell_at_once
from lungreg.cli.console import Console
from lungreg.cli.process import (
    at_terminal,
    importing,
    keeping_last_words,
    stopped_by_signals,
    write_any_letter,
)
from lungreg.errors import RunError
from lungreg.workflows.progress import stopped


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_letters_that_a_log_lacks_are_escaped(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """A name ends no run; letters that the encoding has stay."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write_any_letter()
    print("ü 肺", flush=True)  # noqa: T201
    known = "\\xfc" if encoding == "ascii" else "ü"
    assert raw.getvalue().decode(encoding) == f"{known} \\u80ba\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


TERMINAL, PIPE = Terminal(), io.StringIO()


@pytest.mark.parametrize(
    ("stdin", "stderr", "there"),
    [
        (TERMINAL, TERMINAL, True),
        (TERMINAL, PIPE, False),
        (PIPE, TERMINAL, False),
        (None, TERMINAL, False),
        (TERMINAL, None, False),
    ],
)
def test_a_question_is_seen_and_answered_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stdin: object, stderr: object, *, there: bool
) -> None:
    """It goes to stderr; where stdout goes does not matter. A service may have neither stream."""
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert at_terminal() is there


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("quiet", [True, False])
def test_a_signal_is_told_at_once(
    capfd: pytest.CaptureFixture[str], number: signal.Signals, *, quiet: bool
) -> None:
    """Before what is under way has ended, unless silence is asked for; then all is as before."""
    tell = None if quiet else functools.partial(tell_at_once, Console(quiet=False, as_json=False))
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), stopped_by_signals(tell):
        os.kill(os.getpid(), number)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    assert capfd.readouterr().err == ("" if quiet else f"{TOLD}\n")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As under nohup, or in the background of a shell."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stopped_by_signals(None):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("further", [signal.SIGINT, signal.SIGTERM])
def test_signals_of_the_next_seconds_are_the_same_stop(further: signal.Signals) -> None:
    """A scheduler sends two, or somebody presses Ctrl-C twice: what is begun is put in order."""
    told = list[str]()
    with pytest.raises(RunError, match="--resume run-1"), stopped_by_signals(told.append):
        _stop_run(further)
    assert told == [TOLD]


def test_a_later_signal_cuts_short_and_the_stop_still_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where putting in order takes long, or the first signal fell into code that swallowed it."""
    monkeypatch.setattr(process, "SAME_STOP_S", 0.0)
    with pytest.raises(KeyboardInterrupt), stopped_by_signals(None):
        _stop_run(signal.SIGTERM)
    with (
        pytest.raises(RunError, match="--resume run-1"),
        keeping_last_words(),
        stopped_by_signals(None),
    ):
        _stop_run(signal.SIGTERM)


def test_a_first_signal_is_not_taken_for_an_error_that_was_being_handled() -> None:
    """Only a stop has last words, not whatever failed before it."""
    with pytest.raises(KeyboardInterrupt), stopped_by_signals(None), keeping_last_words():
        _stop_after_failure()


def _stop_run(further: signal.Signals) -> None:
    """A run that SIGTERM stops, and another signal while it is put in order."""
    run_id = "run-1"
    try:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise stopped(run_id, "infer") from error
    finally:
        os.kill(os.getpid(), further)


def _stop_after_failure() -> None:
    msg = "a case failed"
    try:
        raise RunError(msg, mend="look at it")
    except RunError:
        os.kill(os.getpid(), signal.SIGTERM)


TOLD = "lungreg: stopping; what is under way is put in order"


def test_nothing_is_collected_while_it_imports() -> None:
    """And afterwards again as before."""
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
