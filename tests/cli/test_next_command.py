"""Commands that are printed run as they are printed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lungreg.cli.command import ANONYMOUS, ConfigOptions
from lungreg.cli.process import program

OPTIONS = ConfigOptions(file=Path("my runs/a b.yaml"), overrides=("infer.cases=['x y']", "seed=3"))


def test_a_next_command_has_the_options_of_this_one() -> None:
    """A shell takes them apart as they were given."""
    words = shlex.split(OPTIONS.next_command("report infer-1"))
    assert words == [
        *("lungreg", "report", "infer-1", "-c", "my runs/a b.yaml"),
        *("--set", "infer.cases=['x y']", "--set", "seed=3"),
    ]
    assert ConfigOptions(file=None, overrides=()).next_command("ingest") == "lungreg ingest"


def test_commands_in_a_message_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that take a configuration; none in a log that others read."""
    options = ConfigOptions(file=Path("a.yaml"), overrides=())
    text = "go on with 'lungreg infer --resume R', or see 'lungreg config show', 'lungreg register'"
    wanted = text.replace("--resume R'", "--resume R -c a.yaml'")
    assert options.completed(text) == wanted
    monkeypatch.setenv(ANONYMOUS, "1")
    assert options.completed(text) == text
    monkeypatch.delenv(ANONYMOUS)
    monkeypatch.setattr(sys, "argv", ["/nowhere/lungreg"])
    monkeypatch.setenv("PATH", "/elsewhere")
    assert options.completed("see 'lungreg init X'") == "see '/nowhere/lungreg init X'"


def test_the_program_is_named_by_its_path_where_no_name_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As after `nox -s demo`, whose environment is not on PATH."""
    script = tmp_path / "my env" / "lungreg"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert shlex.split(program()) == [str(script)]
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "lungreg"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert program() == "lungreg"


def test_a_module_is_named_as_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m lungreg`, with the Python that has it."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/lungreg/__main__.py"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert shlex.split(program()) == [sys.executable, "-m", "lungreg"]
    done = subprocess.run(
        [sys.executable, "-m", "lungreg", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("lungreg ")
