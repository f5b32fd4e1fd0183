"""The command line: every command, in the order of its help."""

from __future__ import annotations

import gc
import sys

import typer

from lungreg.cli import (
    apply,
    check,
    config,
    cost,
    demo,
    doctor,
    evaluate,
    export,
    infer,
    ingest,
    init,
    jobs,
    models,
    register,
    report,
    results,
    schedule,
    setup,
    simulate,
    submit,
    train,
)
from lungreg.cli.group import RootGroup
from lungreg.cli.help_text import PlainTyper

_HELP = """Register paired lung CT, expiration and inspiration, for whole cohorts.

A first look: lungreg demo. One pair: lungreg register. Many: lungreg init, then ingest, infer,
report; train is for a model, which none of them needs. Research use only, not a medical device.

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 finished, but some cases failed or were
rejected. A verdict of warn or fail is a result, and exit code 0: read it, also from --json.
"""

_COLLECTED_AFTER = (100_000, 20, 100)
"""New objects, and collections of younger ones, before Python looks for unused cycles."""
_COMMANDS = (
    *(ingest, train, infer, results, report, submit, cost, register, evaluate, apply, export),
    *(simulate, demo, init, setup, doctor, check, config, models, jobs),
    schedule,
)


def build_app() -> typer.Typer:
    """The typer application with all commands."""
    app = PlainTyper(
        name="lungreg",
        cls=RootGroup,
        help=_HELP,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for command in _COMMANDS:
        command.add_to(app)
    return app


def main() -> None:
    """Entry point of the console command."""
    # Imports make objects that stay: to look through them again and again took half a second.
    gc.set_threshold(*_COLLECTED_AFTER)
    try:
        build_app()()
    finally:
        _leave_the_rest()


def _leave_the_rest() -> None:
    """Let the process's end free all objects: Python would look through them one by one first.

    Not where DuckDB is loaded, which reports what it still holds as leaks.
    """
    if "duckdb" not in sys.modules:
        gc.freeze()


def _version(show: bool) -> None:
    if show:
        from lungreg import __version__

        typer.echo(f"lungreg {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: bool = typer.Option(  # noqa: ARG001  # its callback prints it
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Take the options that stand before a command; without one, show the help."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
