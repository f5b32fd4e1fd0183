"""Jobs on the backend's own compute: submit, and jobs list, status, follow, cancel."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.console import Console, command
from lungreg.cli.options import AsJson, ConfigFile, Overrides, Quiet, Verbose

if TYPE_CHECKING:
    from lungreg.workflows.jobs import JobReport

jobs_app = typer.Typer(help="Jobs on the backend's own compute.", no_args_is_help=True)
Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job, as submit printed it.")]


class Command(StrEnum):
    """What a job may run."""

    TRAIN = "train"
    INFER = "infer"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)


def submit(
    what: Annotated[Command, typer.Argument(metavar="train|infer", help="What the job runs.")],
    compute_pool: Annotated[
        str | None, typer.Option("--compute-pool", metavar="POOL", help="Default: the config's.")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines of the job.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the log and end with the job's exit code.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="A run to go on with.")
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run train or infer as a job of the backend, with this installation and configuration."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows import jobs as submitting

        settings = load_config(config, overrides or ())
        done = submitting.submit(
            settings, what.value, resume=resume, pool=compute_pool, nodes=nodes
        )
        console.line(f"job {done.job_id}")
        if wait:
            done = submitting.follow(settings, done.job_id, on_line=console.line)
        else:
            console.line(f"next: lungreg jobs follow {done.job_id}")
        _end(console, done)


@jobs_app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """List the latest jobs, batch jobs too, the newest first."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows import jobs as submitting

        found = submitting.list_jobs(load_config(config, overrides or ()), limit=limit)
        rows = [[job.job_id, job.status, job.pool, job.created_at] for job in found]
        console.table("Jobs", ("job", "status", "pool", "created"), rows)
        console.document([dataclasses.asdict(job) for job in found])


@jobs_app.command()
def status(
    job: Job,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Show what has become of a job."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows import jobs as submitting

        found = submitting.look(load_config(config, overrides or ()), job)
        console.line(f"job {job}: {found.status}")
        console.document(dataclasses.asdict(found))


@jobs_app.command()
def follow(
    job: Job,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Show a job's log until it ends; the exit code is the job's."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows import jobs as submitting

        settings = load_config(config, overrides or ())
        _end(console, submitting.follow(settings, job, on_line=console.line))


@jobs_app.command()
def cancel(
    job: Job,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Stop a job."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows import jobs as submitting

        found = submitting.cancel(load_config(config, overrides or ()), job)
        console.line(f"job {job}: {found.status}")
        console.document(dataclasses.asdict(found))


def _end(console: Console, done: JobReport) -> None:
    if done.exit_code is not None:
        console.line(f"job {done.job_id}: {done.status}, exit code {done.exit_code}")
    console.document(dataclasses.asdict(done))
    if done.exit_code:
        raise typer.Exit(done.exit_code)
