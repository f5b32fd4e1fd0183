"""lungreg doctor: checks of this machine, its packages and its stores."""

from __future__ import annotations

import typer

from lungreg.cli.check import end_with, placed, told
from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.process import importing


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


@config_command
def doctor(console: Console, options: ConfigOptions) -> None:
    """Check versions, devices, Ray, source, stage, disk and memory, each with a mend.

    With --json it names no file: that is for others to read. In an account submit check goes on
    from here, with a job that tries what the steps need.
    """
    from lungreg.workflows.progress import one_step

    settings = options.config()
    with importing(), one_step(console.progress, "starting"):  # PyTorch takes seconds to be there.
        from lungreg.workflows.doctor import examine
    checks = examine(settings, console.progress)
    rows = [[check.name, check.state, placed(check), check.mend] for check in checks]
    console.table("Doctor", ("check", "state", "found", "mend"), rows)
    console.document(told(checks))
    if settings.backend.kind == "snowflake":
        console.line(f"what jobs need in the account: {options.next_command('submit check')}")
    end_with(console, checks)
