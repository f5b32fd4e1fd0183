"""lungreg schedule list, resume, suspend, drop: jobs that start by the clock."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.group import command_group

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Of a schedule, as submit --schedule printed it.")
]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = command_group("Jobs that start by the clock, on the backend's own compute.")
    group.command("list")(list_schedules)
    group.command()(resume)
    group.command()(suspend)
    group.command()(drop)
    app.add_typer(group, name="schedule")


@config_command
def list_schedules(console: Console, options: ConfigOptions) -> None:
    """List the schedules that this role has made."""
    from lungreg.workflows.schedules import scheduler_of

    found = scheduler_of(options.config()).schedules()
    rows = [[each.name, each.state, each.cron, each.waits_for] for each in found]
    console.table("Schedules", ("schedule", "state", "times", "waits for"), rows)
    console.document([dataclasses.asdict(each) for each in found])


@config_command
def resume(console: Console, options: ConfigOptions, name: Name) -> None:
    """Let a schedule start jobs, at its times and where new files came."""
    from lungreg.workflows.schedules import scheduler_of

    scheduler_of(options.config()).resume(name)
    _told(console, name, "started")


@config_command
def suspend(console: Console, options: ConfigOptions, name: Name) -> None:
    """Let a schedule start no more jobs; one that runs goes on."""
    from lungreg.workflows.schedules import scheduler_of

    scheduler_of(options.config()).suspend(name)
    _told(console, name, "suspended")


@config_command
def drop(console: Console, options: ConfigOptions, name: Name) -> None:
    """Remove a schedule and what its job was sent."""
    from lungreg.workflows.schedules import scheduler_of

    scheduler_of(options.config()).drop(name)
    _told(console, name, "dropped")


def _told(console: Console, name: str, state: str) -> None:
    console.line(f"schedule {name}: {state}")
    console.document({"name": name, "state": state})
