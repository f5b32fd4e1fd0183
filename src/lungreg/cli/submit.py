"""lungreg submit: run train or infer on the backend's own compute."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lungreg.cli.command import ConfigOptions, Resume, config_command
from lungreg.cli.console import Console
from lungreg.cli.jobs import end_like


class Command(StrEnum):
    """What a job may run."""

    TRAIN = "train"
    INFER = "infer"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)


@config_command
def submit(
    console: Console,
    options: ConfigOptions,
    what: Annotated[Command, typer.Argument(metavar="train|infer", help="What the job runs.")],
    compute_pool: Annotated[
        str | None, typer.Option("--compute-pool", metavar="POOL", help="Default: the config's.")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines of the job.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the log and end with the job's exit code.")
    ] = False,
    resume: Resume = None,
) -> None:
    """Run train or infer as a job of the backend, with this installation and configuration."""
    from lungreg.workflows import jobs

    settings = options.config()
    done = jobs.submit(settings, what.value, resume=resume, pool=compute_pool, nodes=nodes)
    console.line(f"job {done.job_id}")
    if wait:
        done = jobs.follow(settings, done.job_id, on_line=console.line)
    else:
        console.line(f"next: {options.next_command(f'jobs follow {done.job_id}')}")
    end_like(console, done)
