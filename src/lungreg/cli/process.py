"""The process of a command: its streams, signals that end it, and how it was started."""

from __future__ import annotations

import gc
import io
import math
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lungreg.errors import LungregError

SAME_STOP_S = 3.0
"""Signals within so long of the first are the same stop."""
_STOPPING = "lungreg: stopping; what is under way is put in order"


def write_any_letter() -> None:
    """Escape letters that the console or log cannot show, such as those of a name in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def at_terminal() -> bool:
    """Whether somebody sees a question, which goes to stderr, and can answer it.

    A stream is None where the process was started without it.
    """
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


@contextmanager
def stopped_by_signals(tell: Callable[[str], None] | None) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the command in order, as a KeyboardInterrupt, and say so at once.

    SIGTERM comes from schedulers and containers: SLURM, docker stop, Kubernetes. A signal that the
    process was started to ignore stays ignored.

    Schedulers and people send more than one: those of the next seconds are the same stop, which has
    begun. A later one cuts short what is being put in order.

    Args:
        tell: Says it, from a signal's handler; None says nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    stop = _Stop(tell)
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


class _Stop:
    """The handler of both signals."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._since = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._since < SAME_STOP_S:
            return
        self._since = time.monotonic()
        if self._tell is not None:
            self._tell(_STOPPING)
        signal.default_int_handler(number, frame)


@contextmanager
def keeping_last_words() -> Iterator[None]:
    """Let a stop that was cut short by a further signal still say how to go on.

    A workflow raises that as an error caused by the first signal; the further one comes while the
    error is on its way through what puts things in order.

    Raises:
        LungregError: The workflow's own, instead of the KeyboardInterrupt that replaced it.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        replaced = error.__context__
        while replaced is not None:
            if isinstance(replaced, LungregError) and isinstance(
                replaced.__cause__, KeyboardInterrupt
            ):
                raise replaced from replaced.__cause__
            replaced = replaced.__context__
        raise


@contextmanager
def importing() -> Iterator[None]:
    """Import PyTorch and what stands on it without looking for garbage, of which they make none.

    Python would go through all that was imported so far again and again, a quarter of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def program() -> str:
    """How to start lungreg from where the user stands: by name, or by path where PATH lacks it."""
    this = Path(sys.argv[0])
    if this.name == "__main__.py" and not shutil.which("lungreg"):
        return f"{shlex.quote(sys.executable)} -m lungreg"
    if this.name not in ("lungreg", "lungreg.exe") or shutil.which(this.name):
        return "lungreg"
    return shlex.quote(str(this))
