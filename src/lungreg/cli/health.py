"""Doctor: is this machine fit for the job?"""

from __future__ import annotations

import dataclasses

import typer

from lungreg.cli.console import command
from lungreg.cli.options import AsJson, ConfigFile, Overrides, Quiet, Verbose


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check versions, devices, Ray, stage, disk and memory, each with a mend."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows.doctor import examine

        checks = examine(load_config(config, overrides or ()))
        rows = [[check.name, check.state, check.found, check.mend] for check in checks]
        console.table("Doctor", ("check", "state", "found", "mend"), rows)
        console.document([dataclasses.asdict(check) for check in checks])
        if any(check.state == "fail" for check in checks):
            raise typer.Exit(1)
