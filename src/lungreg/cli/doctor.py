"""lungreg doctor: checks of this machine, its packages and its stores."""

from __future__ import annotations

import dataclasses

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


@config_command
def doctor(console: Console, options: ConfigOptions) -> None:
    """Check versions, devices, Ray, stage, disk and memory, each with a mend.

    --json holds no names of files and folders: it can be shown to others.
    """
    from lungreg.workflows.doctor import examine

    checks = examine(options.config())
    rows = [
        [check.name, check.state, ": ".join(filter(None, (check.where, check.found))), check.mend]
        for check in checks
    ]
    console.table("Doctor", ("check", "state", "found", "mend"), rows)
    console.document([dataclasses.asdict(dataclasses.replace(it, where="")) for it in checks])
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
