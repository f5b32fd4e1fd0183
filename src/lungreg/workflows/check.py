"""Check what a backend's account lets this user do, in this process or in a job of the backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.errors import ConfigError, LungregError, ResourceError, RunError, StoreError
from lungreg.records import counted
from lungreg.stores import Backend, Check
from lungreg.workflows import jobs
from lungreg.workflows.jobs import OnLine

_MACHINE = "image, packages, gpu, ray"
"""What only a job can check."""


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """All rows, and the job that gave them."""

    checks: tuple[Check, ...]
    job_id: str | None = field(default=None)
    """None where no job was started."""


def check_here(config: Config, backend: Backend | None = None) -> Iterator[Check]:
    """Try what the steps of this user do, and undo it; a row for each, as it is known.

    Raises:
        ConfigError: The backend has nothing that could be refused to anybody.
    """
    backend = (backend or open_backend(config.backend)).for_run(None, "check")
    if backend.examiner is None:
        msg = "a backend that is checked lives in an account"
        mend = "see 'lungreg doctor', or set backend.kind: snowflake"
        raise ConfigError(msg, got=f"backend.kind: {config.backend.kind}", mend=mend)
    held = None if backend.billing is None else backend.billing.held()
    if held is not None:
        yield _ray(held.nodes)
    yield from backend.examiner.try_out()


def check_in_job(
    config: Config,
    *,
    nodes: int = 1,
    on_start: Callable[[str], None],
    on_line: OnLine,
    backend: Backend | None = None,
) -> CheckReport:
    """Check in a job, which is waited for; what it cannot check is checked from here.

    Args:
        config: What the job runs with, on its compute pool.
        nodes: Machines, which form one Ray cluster.
        on_start: Called with the job's id.
        on_line: Called with each line of its log.
        backend: Stores to use instead of those that the config names.

    Raises:
        ConfigError: The backend has no jobs.
        RunError: The user stopped waiting; the job goes on.
    """
    try:
        started = jobs.submit(config, "check", nodes=nodes, backend=backend)
    except (StoreError, RunError, ResourceError) as error:
        lost = Check(name=_MACHINE, state="skipped", found="needs job")
        rows = (Check.failed("job", error), lost, *check_here(config, backend))
        return CheckReport(checks=rows)
    on_start(started.job_id)
    rows_there: list[Check] = []
    done = jobs.follow(
        config, started.job_id, on_line=on_line, on_check=rows_there.append, backend=backend
    )
    told = f"{done.status}, exit code {done.exit_code}"
    job = Check(name="job", state="ok", found=told)
    if not rows_there:
        mend = f"see 'lungreg jobs follow {done.job_id}'"
        job = Check(name="job", state="fail", found=f"{told}, and no check in its log", mend=mend)
    has_asked = any(row.name == "session" for row in rows_there)
    rest = () if has_asked else tuple(check_here(config, backend))
    return CheckReport(checks=(job, *rows_there, *rest), job_id=done.job_id)


def _ray(expected: int) -> Check:
    """Whether all nodes of the job are in its cluster, and have this lungreg."""
    try:
        from lungreg.distributed.nodes import ask_nodes

        found = ask_nodes()
    except LungregError as error:
        return Check.failed("ray", error)
    except Exception as error:  # noqa: BLE001  # Ray has no class of its own for what it raises
        return Check(name="ray", state="fail", found=f"Ray raised {type(error).__name__}")
    each = "; ".join(
        f"{counted(node.cpus, 'CPU')}, {counted(node.gpus, 'GPU')}, lungreg {node.version}"
        for node in found
    )
    has = f"{counted(len(found), 'node')} of {expected}: {each}"
    if len(found) >= expected and len({node.version for node in found}) == 1:
        return Check(name="ray", state="ok", found=has)
    mend = "see the log's line on other nodes, and take another backend.runtime"
    return Check(name="ray", state="fail", found=has, mend=mend)
