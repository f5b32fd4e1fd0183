"""lungreg cost: the time and the estimated credits of a run."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(cost)


@config_command
def cost(
    console: Console,
    options: ConfigOptions,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of train or infer.")],
) -> None:
    """Estimate a run's credits from its time and the rate in the config; how to ask for the bill.

    An estimate: nodes are billed while they idle, too.
    """
    from lungreg.workflows.cost import run_cost, run_cost_lines

    settings = options.config()
    found = run_cost(settings, run)
    for line in run_cost_lines(found, settings.cost):
        console.line(line)
    rate = None if settings.cost is None else settings.cost.model_dump(mode="json")
    console.document({**dataclasses.asdict(found), "estimate": True, "rate": rate})
