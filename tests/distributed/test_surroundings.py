"""Where Ray's sockets and logs lie, its token, and who hears of SIGTERM."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lungreg.distributed.surroundings import give_token, kept_handlers, private_folder
from lungreg.errors import ResourceError

LONG = "scratch/slurm-job-12345678.node0417.cluster.example.org"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No place is chosen by the environment; temporary files lie in a folder of the test."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("places")
def test_the_folder_is_this_users_alone_and_goes() -> None:
    """Also where something was left in it. A path too long for sockets is passed over."""
    with private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.parent == Path("/tmp")
        (folder / "session").mkdir()
        (folder / "session" / "raylet.out").touch()
    assert not folder.exists()


def test_the_folder_that_the_user_names_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other, though it cannot be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as named:
        monkeypatch.setenv("RAY_TMPDIR", named)
        with private_folder() as folder:
            assert folder.parent == Path(named)
        for wrong in (f"{named}/{LONG}", f"{named}/no"):
            monkeypatch.setenv("RAY_TMPDIR", wrong)
            with pytest.raises(ResourceError, match=r"got none of 1; set RAY_TMPDIR"):
                private_folder().__enter__()


ENDING = """
import sys
from types import ModuleType
from lungreg.distributed.surroundings import kept_terminal
import atexit
def reset_all():
    print("escape")
module = ModuleType("colorama.initialise")
module.reset_all, module.atexit_done = reset_all, False
def start():
    sys.modules["colorama.initialise"] = module
    module.atexit_done = True
    atexit.register(reset_all)
if sys.argv[1] == "before":
    start()
with kept_terminal():
    if sys.argv[1] == "inside":
        start()
"""


@pytest.mark.parametrize(("when", "said"), [("inside", ""), ("before", "escape\n")])
def test_nothing_is_written_to_a_terminal_at_the_end(when: str, said: str) -> None:
    """By colorama, which Ray starts; what the user started himself stays."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENDING, when],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == said


@pytest.fixture
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "x")  # put back afterwards, whatever the test sets
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_no_token")
def test_a_token_is_given_where_the_home_folder_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray writes its own where it can, and a token that is there is used."""
    monkeypatch.setenv("HOME", str(tmp_path))
    give_token()
    assert "RAY_AUTH_TOKEN" not in os.environ
    monkeypatch.setattr(os, "access", lambda *_: False)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    give_token()
    assert "RAY_AUTH_TOKEN" not in os.environ
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    give_token()
    token = os.environ["RAY_AUTH_TOKEN"]
    assert len(token) >= 32
    give_token()
    assert os.environ["RAY_AUTH_TOKEN"] == token


@pytest.mark.parametrize(
    ("own", "ends"),
    [(signal.default_int_handler, KeyboardInterrupt), (signal.SIG_DFL, SystemExit)],
)
def test_a_signal_while_ray_starts_ends_the_command_in_order(
    own: Any, ends: type[BaseException]
) -> None:
    """Ray's handler, which is there for a moment, ends the process without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, own)
        with pytest.raises(ends), kept_handlers():
            sys.exit(signal.SIGTERM)  # as Ray's handler does
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_of_our_own_survives_rays() -> None:
    """One that was not there is Ray's to choose."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with kept_handlers():
            signal.signal(signal.SIGTERM, lambda *_: None)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with kept_handlers():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
