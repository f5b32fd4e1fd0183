"""What a run cost."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from lungreg.cli.console import command
from lungreg.cli.options import AsJson, ConfigFile, Overrides, Quiet, Verbose


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(cost)


def cost(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of train or infer.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Estimate a run's credits from its time and the rate in the config; how to ask for the bill.

    An estimate: nodes are billed while they idle, too.
    """
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows.cost import run_cost, run_cost_lines

        settings = load_config(config, overrides or ())
        found = run_cost(settings, run)
        for line in run_cost_lines(found, settings.cost):
            console.line(line)
        rate = None if settings.cost is None else settings.cost.model_dump(mode="json")
        console.document({**dataclasses.asdict(found), "estimate": True, "rate": rate})
