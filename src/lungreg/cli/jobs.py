"""lungreg jobs list, status, follow, cancel: jobs on the backend's own compute."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.group import command_group

if TYPE_CHECKING:
    from lungreg.workflows.jobs import JobReport

Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job, as submit printed it.")]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = command_group("Jobs on the backend's own compute.")
    group.command("list")(list_jobs)
    group.command()(status)
    group.command()(follow)
    group.command()(cancel)
    app.add_typer(group, name="jobs")


@config_command
def list_jobs(
    console: Console,
    options: ConfigOptions,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
) -> None:
    """List the latest jobs, batch jobs too, the newest first."""
    from lungreg.workflows import jobs

    found = jobs.list_jobs(options.config(), limit=limit)
    rows = [[job.job_id, job.status, job.pool, job.created_at] for job in found]
    console.table("Jobs", ("job", "status", "pool", "created"), rows)
    console.document([dataclasses.asdict(job) for job in found])


@config_command
def status(
    console: Console,
    options: ConfigOptions,
    job: Job,
) -> None:
    """Show what has become of a job."""
    from lungreg.workflows import jobs

    found = jobs.look(options.config(), job)
    console.line(f"job {job}: {found.status}")
    console.document(dataclasses.asdict(found))


@config_command
def follow(
    console: Console,
    options: ConfigOptions,
    job: Job,
) -> None:
    """Show a job's log until it ends; the exit code is the job's."""
    from lungreg.workflows import jobs

    settings = options.config()
    end_like(console, jobs.follow(settings, job, on_line=console.line))


@config_command
def cancel(
    console: Console,
    options: ConfigOptions,
    job: Job,
) -> None:
    """Stop a job."""
    from lungreg.workflows import jobs

    found = jobs.cancel(options.config(), job)
    console.line(f"job {job}: {found.status}")
    console.document(dataclasses.asdict(found))


def end_like(console: Console, done: JobReport) -> None:
    """Print how a job ended, and end with its exit code where it failed."""
    if done.exit_code is not None:
        console.line(f"job {done.job_id}: {done.status}, exit code {done.exit_code}")
    console.document(dataclasses.asdict(done))
    if done.exit_code:
        raise typer.Exit(done.exit_code)
