"""All commands under one name."""

from __future__ import annotations

import typer

from lungreg.cli import (
    account,
    costs,
    data,
    evaluate,
    health,
    jobs,
    models,
    register,
    settings,
    steps,
    transforms,
)

_HELP = """Register paired lung CT, expiration and inspiration, for whole cohorts.

A first look: lungreg demo. Your own data: lungreg init, then ingest, train, infer, report.
Research use only, not a medical device.

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 finished, but some cases failed or were
rejected.
"""


def build_app() -> typer.Typer:
    """The command line with every group of commands."""
    app = typer.Typer(
        name="lungreg",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for group in (
        steps,
        jobs,
        costs,
        register,
        evaluate,
        transforms,
        data,
        settings,
        account,
        health,
    ):
        group.register(app)
    app.add_typer(settings.config_app, name="config")
    app.add_typer(models.models_app, name="models")
    app.add_typer(jobs.jobs_app, name="jobs")
    return app


def main() -> None:
    """Entry point of the console command."""
    build_app()()


def _version(show: bool) -> None:
    if show:
        from lungreg import __version__

        typer.echo(f"lungreg {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Nothing of its own: options before a command."""
