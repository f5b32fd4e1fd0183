"""Jobs on a backend's own compute (Snowflake compute pools): submit, list, follow, cancel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.errors import ConfigError, LungregError, RunError
from lungreg.stores import Backend, Check, JobRunner, ListedJob

_log = logging.getLogger(__name__)
OnLine = Callable[[str], None]
OnCheck = Callable[[Check], None]


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """The status of a job, and its exit code once it has ended."""

    job_id: str
    status: str
    """A status of `lungreg.stores.JobRunner.status`."""
    exit_code: int | None = None
    """Of the command in the job; None while it goes on."""


def jobs_of(config: Config, backend: Backend | None = None) -> JobRunner:
    """The job runner of the backend.

    Raises:
        ConfigError: It has none.
    """
    backend = (backend or open_backend(config.backend)).for_run(None, "jobs")
    if backend.jobs is None:
        msg = "jobs are submitted to a backend that has compute of its own"
        mend = "run the command itself here, or set backend.kind: snowflake"
        raise ConfigError(msg, got=f"backend.kind: {config.backend.kind}", mend=mend)
    return backend.jobs


def submit(
    config: Config,
    command: str,
    *,
    resume: str | None = None,
    pool: str | None = None,
    nodes: int = 1,
    backend: Backend | None = None,
) -> JobReport:
    """Start a command as a job of the backend.

    Args:
        config: What the job runs with.
        command: "train", "infer" or "check".
        resume: A run to go on with.
        pool: Compute pool; None takes that of the configuration.
        nodes: Machines, which form one Ray cluster.
        backend: Stores to use instead of those that the config names.

    Raises:
        LungregError: The backend has no compute, or does not take the job.
    """
    jobs = jobs_of(config, backend)
    arguments = [command] if resume is None else [command, "--resume", resume]
    # No further request here: if it failed, the caller would not learn the job's id.
    job_id = jobs.submit(arguments, config, pool=pool, nodes=nodes)
    return JobReport(job_id=job_id, status="pending")


def follow(
    config: Config,
    job_id: str,
    *,
    on_line: OnLine,
    on_check: OnCheck | None = None,
    backend: Backend | None = None,
) -> JobReport:
    """Pass each line of a job's log to a callback until the job ends, then remove its payload.

    Args:
        config: Names the account.
        job_id: As `submit` gave it.
        on_line: Takes the lines; that of a check as people read it.
        on_check: Takes the checks among them.
        backend: Stores to use instead of those that the config names.

    Raises:
        RunError: The user stopped waiting; the job goes on.
    """
    jobs = jobs_of(config, backend)
    try:
        for line in jobs.follow(job_id):
            check = Check.from_line(line)
            on_line(line if check is None else f"{check.state}: {check.name}: {check.found}")
            if check is not None and on_check is not None:
                on_check(check)
    except KeyboardInterrupt as error:
        msg = "this command stopped waiting; the job goes on"
        mend = f"lungreg jobs follow {job_id}, or lungreg jobs cancel {job_id}"
        raise RunError(msg, mend=mend) from error
    _tidy(jobs, job_id)
    return _report(jobs, job_id)


def look(config: Config, job_id: str, *, backend: Backend | None = None) -> JobReport:
    """The status of a job."""
    return _report(jobs_of(config, backend), job_id)


def list_jobs(
    config: Config, *, limit: int = 20, backend: Backend | None = None
) -> Sequence[ListedJob]:
    """The latest jobs of the backend that were started from lungreg, the newest first."""
    return jobs_of(config, backend).latest(limit)


def cancel(config: Config, job_id: str, *, backend: Backend | None = None) -> JobReport:
    """Stop a job; one that has ended stays as it is."""
    jobs = jobs_of(config, backend)
    jobs.cancel(job_id)
    _tidy(jobs, job_id)
    return _report(jobs, job_id)


def _report(jobs: JobRunner, job_id: str) -> JobReport:
    status = jobs.status(job_id)
    is_over = status not in ("pending", "running")
    exit_code = jobs.exit_code(job_id) if is_over else None
    return JobReport(job_id=job_id, status=status, exit_code=exit_code)


def _tidy(jobs: JobRunner, job_id: str) -> None:
    """Remove the job's payload; where the role may not, warn, and still report the job's status."""
    try:
        jobs.tidy(job_id)
    except LungregError as error:
        _log.warning("what the job was sent stays on the stage: %s", error.anonymous)
