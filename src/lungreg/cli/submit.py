"""lungreg submit: run train or infer on the backend's own compute."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.check import end_with, show, told
from lungreg.cli.command import ConfigOptions, Resume, config_command
from lungreg.cli.console import Console
from lungreg.cli.jobs import end_like
from lungreg.errors import ConfigError

if TYPE_CHECKING:
    from lungreg.config import Config


class Command(StrEnum):
    """What a job may run."""

    TRAIN = "train"
    INFER = "infer"
    CHECK = "check"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)


@config_command
def submit(
    console: Console,
    options: ConfigOptions,
    what: Annotated[
        Command, typer.Argument(metavar="train|infer|check", help="What the job runs.")
    ],
    compute_pool: Annotated[
        str | None, typer.Option("--compute-pool", metavar="POOL", help="Default: the config's.")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines of the job.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the log and end with the job's exit code.")
    ] = False,
    resume: Resume = None,
) -> None:
    """Run train, infer or check as a job of the backend, with this installation and configuration.

    Begin with check: a job of a minute that tries what the others need, in this role: image,
    installation, GPU, Ray, privileges, stages, tables and models. It is waited for, and ends with a
    table of what passed and how to mend the rest.
    """
    from lungreg.workflows import jobs

    if what is Command.CHECK:
        # In the configuration, so that the privileges on this pool are looked at.
        pool = [] if compute_pool is None else [f"backend.compute_pool.name={compute_pool}"]
        _check(console, options.config(*pool), nodes=nodes, resume=resume)
        return
    settings = options.config()
    done = jobs.submit(settings, what.value, resume=resume, pool=compute_pool, nodes=nodes)
    console.line(f"job {done.job_id}")
    if wait:
        done = jobs.follow(settings, done.job_id, on_line=console.line)
    else:
        console.line(f"next: {options.next_command(f'jobs follow {done.job_id}')}")
    end_like(console, done)


def _check(console: Console, settings: Config, *, nodes: int, resume: str | None) -> None:
    """Submit the job that checks, wait for it, and print what it found."""
    from lungreg.workflows.check import check_in_job

    if resume is not None:
        msg = "check is no run that could be gone on with"
        raise ConfigError(msg, got="--resume", mend="leave it out")
    done = check_in_job(
        settings,
        nodes=nodes,
        on_start=lambda job: console.line(f"job {job}: a suspended pool takes minutes to start"),
        on_line=console.line,
    )
    show(console, done.checks)
    console.document({"job_id": done.job_id, "checks": told(done.checks)})
    end_with(done.checks)
