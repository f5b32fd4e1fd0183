"""What a Ray cluster that is started here needs around it: a folder, a token, no dashboard."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungreg.errors import ResourceError

LOOPBACK = "127.0.0.1"
_API_SERVER = "RAY_API_SERVER_ADDRESS"
_NO_API_SERVER = f"http://{LOOPBACK}:9"
"""An address at which nothing listens."""
_TOKEN_SETTINGS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_LONGEST_BASE = 26
"""Bytes: the name of a socket has at most 107, of which Ray's own folders take some 65."""
_SHORT = Path("/tmp")  # noqa: S108  # the folder made in it is private


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder for Ray's sockets and logs that only this user can read; removed afterwards.

    It lies in RAY_TMPDIR or in the folder for temporary files, or in /tmp where that folder's path
    is too long for sockets, as on clusters that give each job a folder of its own.

    Raises:
        ResourceError: No folder that is short enough can be written to.
    """
    folder = _made_in(*_bases())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():  # a process that was told to end had one more line to log
            time.sleep(0.5)
            shutil.rmtree(folder, ignore_errors=True)


def _bases() -> list[Path]:
    wanted = os.environ.get("RAY_TMPDIR")
    return [Path(wanted)] if wanted else [Path(tempfile.gettempdir()), _SHORT]


def _made_in(*bases: Path) -> Path:
    for base in bases:
        if len(os.fsencode(base)) > _LONGEST_BASE:
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="lungreg-", dir=base))
        except OSError:
            continue
    msg = f"Ray needs a folder for sockets, of at most {_LONGEST_BASE} characters, to write to"
    got = " and ".join(str(base) for base in bases)
    mend = "set RAY_TMPDIR to one, or infer.workers and train.workers to 0"
    raise ResourceError(msg, got=f"none of {len(bases)}", mend=mend, where=got)


def give_token() -> None:
    """Give Ray a token of this process's own where it cannot keep one in the home folder."""
    if any(name in os.environ for name in _TOKEN_SETTINGS):
        return
    try:
        kept = Path.home() / ".ray"
    except RuntimeError:  # a user without a name and without HOME
        kept = Path("/nonexistent")
    place = kept if kept.exists() else kept.parent
    if not (kept / "auth_token").exists() and not os.access(place, os.W_OK):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Keep this process's own way to end on SIGTERM, where it has one; Ray brings its own.

    Raises:
        KeyboardInterrupt: The signal came to Ray's handler, which ends the process without a word.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as error:
        if not callable(before):
            raise
        raise KeyboardInterrupt from error
    finally:
        if callable(before):
            signal.signal(signal.SIGTERM, before)


@contextmanager
def kept_terminal() -> Iterator[None]:
    """Let no escape sequence end the output of this process on a terminal.

    Ray's command line, which Ray Train imports, starts colorama, which then resets the terminal's
    colours when the process ends. Where the user's own code started it, it stays.
    """
    if getattr(sys.modules.get("colorama.initialise"), "atexit_done", False):
        yield
        return
    try:
        yield
    finally:
        if (colorama := sys.modules.get("colorama.initialise")) is not None:
            atexit.unregister(colorama.reset_all)


@contextmanager
def taken_port() -> Iterator[int]:
    """A port of this machine that is in use, for Ray's dashboard.

    Without its dashboard Ray starts the process all the same, for its usage statistics alone.
    Even when they are off, that process asks the metadata services of three clouds where it runs:
    calls to other hosts. Where its port is taken Ray goes on without it and logs an error.
    """
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        yield taken.getsockname()[1]


@contextmanager
def no_api_server() -> Iterator[None]:
    """Let the processes of the cluster know that it has no API server, which is the dashboard's.

    Otherwise they look for its address for 40 s: at the end of a training Ray Train waits for one
    that does so until it gives up, after 12 s.
    """
    if _API_SERVER in os.environ:
        yield
        return
    os.environ[_API_SERVER] = _NO_API_SERVER
    try:
        yield
    finally:
        del os.environ[_API_SERVER]
