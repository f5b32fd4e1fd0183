"""The application: its commands, their help, wrong usage."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import typer

from lungreg import __version__
from lungreg.cli.app import build_app
from tests.site import run


def paths(command: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group of the command line."""
    subcommands = getattr(command, "commands", {})
    inner = [paths(sub, (*before, name)) for name, sub in subcommands.items()]
    return [before, *(path for found in inner for path in found)]


def command_at(path: tuple[str, ...]) -> Any:
    found: Any = ROOT
    for name in path:
        found = found.commands[name]
    return found


ROOT = typer.main.get_command(build_app())
COMMANDS = paths(ROOT)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--help` and `-h`, exit code 0, with a sentence on what it does, in 80 columns.

    No sentence is cut off by dots, and each option stands whole at the start of a line.
    """
    monkeypatch.setenv("COLUMNS", "80")
    done = run(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage:" in done.out
    assert run(*path, "-h").out == done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert not re.search(r"\w\.\.\.$|\w…|--[a-z-]*-$", done.out, re.MULTILINE)
    for option in (name for one in command_at(path).params for name in one.opts):
        if option.startswith("--"):
            assert re.search(rf"^  (-\w, |--[\w-]+ / )?{option}\b", done.out, re.MULTILINE)


def test_the_commands_are_those_of_the_documentation() -> None:
    """No more and no less."""
    assert {" ".join(path) for path in COMMANDS if path} == {
        *("simulate", "demo", "ingest", "train", "infer", "results", "report", "init", "doctor"),
        *("apply", "export", "evaluate", "register", "cost", "setup", "teardown", "submit"),
        *("check", "jobs", "jobs list", "jobs status", "jobs follow", "jobs cancel"),
        *("config", "config validate", "config show", "config schema"),
        *("models", "models list", "models show", "models promote"),
        *("models export", "models import"),
        *("schedule", "schedule list", "schedule resume", "schedule suspend", "schedule drop"),
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fly",), "No such command 'fly'"),
        (("infer", "--fast"), "No such option"),
        (("report",), "Missing argument 'RUN'"),
        (("simulate", "--out", "x", "--cases", "0"), "'--cases'"),
        (("simulate",), "Missing option '--out'"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    """With what is wrong and how to get help."""
    done = run(*arguments)
    assert done.code == 2
    assert says in " ".join(done.err.replace("│", " ").split())
    assert "Try" in done.err


def test_no_command_lacks_a_common_option() -> None:
    """All end with -c, --set, -v, -q, --wide, --json; some without a configuration."""
    without_config = {"simulate", "demo", "apply", "init", "config schema"}
    common = ["config", "overrides", "verbose", "quiet", "wide", "as_json"]
    for path in COMMANDS:
        found = command_at(path)
        if not hasattr(found, "commands"):
            names = [parameter.name for parameter in found.params]
            expected = common[2:] if " ".join(path) in without_config else common
            assert [name for name in names if name in common] == expected, path
            assert names[-len(expected) :] == expected, path


def test_no_arguments_show_the_help() -> None:
    """As newcomers start: with the shortest ways, none of which needs a model."""
    shown = " ".join(run().out.split())
    assert "A first look: lungreg demo. One pair: lungreg register." in shown
    assert "lungreg init, then ingest, infer, report;" in shown


def test_the_version_is_that_of_the_package() -> None:
    """For reports of errors."""
    assert run("--version").out == f"lungreg {__version__}\n"


def test_a_commands_end_leaves_its_objects_to_the_end_of_the_process() -> None:
    """Python would look through them one by one before; DuckDB's are its own affair."""
    code = (
        "import atexit, gc, sys\n"
        "if 'duckdb' in sys.argv: import duckdb; sys.argv.remove('duckdb')\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from lungreg.cli import main; main()"
    )
    for more, left in ([], "True"), (["duckdb"], "False"):
        command = [sys.executable, "-c", code, "--version", *more]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split()[-1] == left
