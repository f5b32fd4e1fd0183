"""lungreg submit: run train or infer on the backend's own compute, at once or by the clock."""

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
    INGEST = "ingest"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)


@config_command
def submit(
    console: Console,
    options: ConfigOptions,
    what: Annotated[
        Command,
        typer.Argument(
            metavar="train|infer|check|ingest", help="What the job runs; ingest by a schedule only."
        ),
    ],
    compute_pool: Annotated[
        str | None, typer.Option("--compute-pool", metavar="POOL", help="Default: the config's.")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines of the job.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the log and end with the job's exit code.")
    ] = False,
    resume: Resume = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help="Make a schedule of ingest or infer instead, such as 'USING CRON 0 2 * * * "
            "Europe/Berlin': where files came, a job of the cases that are new.",
        ),
    ] = None,
) -> None:
    """Run train, infer or check as a job of the backend, with this installation and configuration.

    Begin with check: a job of a minute that tries what the others need, in this role: image,
    installation, GPU, Ray, privileges, stages, tables and models. It is waited for, and ends with a
    table of what passed and how to mend the rest.

    A schedule is suspended until 'lungreg schedule resume NAME', and starts no node where no files
    came.
    """
    from lungreg.workflows import jobs

    if what is Command.CHECK:
        # In the configuration, so that the privileges on this pool are looked at.
        pool = [] if compute_pool is None else [f"backend.compute_pool.name={compute_pool}"]
        _check(console, options.config(*pool), nodes=nodes, resume=resume)
        return
    settings = options.config()
    if schedule is not None or what is Command.INGEST:
        _refuse_with_schedule(what, schedule, resume=resume, wait=wait)
        name = _scheduled(settings, what, str(schedule), compute_pool, nodes)
        console.line(f"schedule {name}: suspended")
        console.line(f"next: {options.next_command(f'schedule resume {name}')}")
        console.document({"name": name, "state": "suspended"})
        return
    done = jobs.submit(settings, what.value, resume=resume, pool=compute_pool, nodes=nodes)
    console.line(f"job {done.job_id}")
    if wait:
        done = jobs.follow(settings, done.job_id, on_line=console.line)
    else:
        console.line(f"next: {options.next_command(f'jobs follow {done.job_id}')}")
    end_like(console, done)


def _scheduled(settings: Config, what: Command, cron: str, pool: str | None, nodes: int) -> str:
    from lungreg.workflows.schedules import scheduler_of

    return scheduler_of(settings).make(what.value, settings, cron=cron, pool=pool, nodes=nodes)


def _refuse_with_schedule(
    what: Command, schedule: str | None, *, resume: str | None, wait: bool
) -> None:
    """Refuse what is not done by the clock, and what is done by it alone."""
    if schedule is None:
        msg = "a job ingests by a schedule, what others bring in"
        mend = "run 'lungreg ingest' here, or give --schedule"
        raise ConfigError(msg, got="none", mend=mend)
    if what is not Command.INFER and what is not Command.INGEST:
        msg = "a schedule runs ingest or infer"
        raise ConfigError(msg, got=what.value)
    if resume is not None or wait:
        msg = "a schedule begins new runs, and nobody waits for it"
        raise ConfigError(msg, got="--resume" if resume else "--wait", mend="leave it out")


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
    end_with(console, done.checks)
